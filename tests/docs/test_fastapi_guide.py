"""docs/guides/fastapi.md: its application takes an order, a worker handles it; without Redis it says so."""

from __future__ import annotations

from collections.abc import Callable

from tests.docs.conftest import Guide

PLACE_AN_ORDER = """
import sys
from fastapi.testclient import TestClient
from shop.web import web

with TestClient(web) as client:
    answer = client.post("/orders/7?email=ada@example.com")
    print(answer.status_code, answer.json(), answer.headers.get("Retry-After"))
"""


def test_an_order_is_placed_and_handled_by_a_worker(guide: Callable[[str], Guide]) -> None:
    project = guide("docs/guides/fastapi.md")
    answer = project.python("-c", PLACE_AN_ORDER)
    assert answer.startswith("202 {'message_id': '")
    assert project.waiting() == 1
    worker = project.messenger("consume", "async", "--limit", "1")
    assert "receipt of order 7 sent to ada@example.com" in worker
    assert answer.split("'")[3] in worker, "the id that the client got is in the worker's log"
    assert project.waiting() == 0


def test_without_redis_the_client_is_told_to_try_again(guide: Callable[[str], Guide]) -> None:
    project = guide("docs/guides/fastapi.md")
    project.server.stop()
    assert project.python("-c", PLACE_AN_ORDER) == "503 {'detail': 'try again later'} 5\n"


SEVERAL = """
import signal, sys, threading, os, time
from fastapi.testclient import TestClient
from shop.web import web

@web.get("/health")
async def health() -> str:
    return "up"

with TestClient(web) as client:
    client.post("/orders/1?email=ada@example.com")
    os.kill(int(sys.argv[1]), signal.SIGSTOP)
    codes = []
    threads = [threading.Thread(target=lambda: codes.append(client.post("/orders/2?email=a@b.c").status_code))
               for _ in range(50)]
    for thread in threads:
        thread.start()
    print([client.get("/health").json() for _ in range(3)], codes)
    for thread in threads:
        thread.join()
    os.kill(int(sys.argv[1]), signal.SIGCONT)
    print(sorted(set(codes)), len(codes))
"""


def test_a_frozen_redis_holds_up_no_other_request(guide: Callable[[str], Guide]) -> None:
    project = guide("docs/guides/fastapi.md")
    said = project.python("-c", SEVERAL, str(project.server.pid))
    assert said == "['up', 'up', 'up'] []\n[503] 50\n"


def test_its_own_test_passes(guide: Callable[[str], Guide]) -> None:
    assert "1 passed" in guide("docs/guides/fastapi.md").pytest()
