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


def test_its_own_test_passes(guide: Callable[[str], Guide]) -> None:
    assert "1 passed" in guide("docs/guides/fastapi.md").pytest()
