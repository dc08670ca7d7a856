"""The promise: a message whose dispatch returned is handled, or in the failure store, or visibly waiting. Always.

Workers and senders are killed, servers die and freeze, operators retry, and in the end every message is accounted for.
MESSENGER_PROMISE_STEPS says how many disturbances there are, MESSENGER_PROMISE_SEED which.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.integration.promise.application import AUDIT, SENDER, TASKS, YAML
from tests.integration.promise.chaos import Chaos
from tests.integration.worker.project import Project
from tests.support.servers import PostgresServer, RedisServer

STEPS = int(os.environ.get("MESSENGER_PROMISE_STEPS", "8"))
pytestmark = pytest.mark.timeout(120 + 30 * STEPS)
SEED = int(os.environ.get("MESSENGER_PROMISE_SEED", str(random.randrange(10**6))))


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Redis of this test alone: it is killed."""
    server = RedisServer()
    server.start()
    yield server
    server.destroy()


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL of this test alone: it is killed."""
    server = PostgresServer()
    server.start()
    yield server
    server.destroy()


def numbers_in_failure_store(project: Project) -> list[int]:
    command = [sys.executable, "-c", AUDIT]
    shown = subprocess.run(command, cwd=project.directory, env=project.environment, stdout=subprocess.PIPE, check=True)
    return [int(line) for line in shown.stdout.split()]


def keep_the_promise(project: Project, store: RedisServer | PostgresServer | None, dsns: dict[str, str]) -> None:
    project.environment |= {"REDIS_DSN": project.server.url(), "DATABASE_URL": "sqlite:///failed.db", **dsns}
    project.write("tasks.py", TASKS)
    project.write("sender.py", SENDER)
    project.write("messenger.yaml", YAML)
    chaos = Chaos(project, store, SEED)
    try:
        chaos.begin()
        happened = [chaos.step() for _ in range(STEPS)]
    finally:
        chaos.end()
    chaos.drain()

    story = f"seed {SEED}: {', '.join(happened)}"
    sent = dict(line.partition(" ")[::2] for line in chaos.lines("sent"))
    failed = numbers_in_failure_store(project)
    done = Counter(chaos.numbers("done"))
    lost = {number: mood for number, mood in sent.items() if int(number) not in done and int(number) not in failed}
    assert not lost, story
    assert len(sent) > STEPS, story
    print(f"{story}; sent {len(sent)}, done {len(done)}, failed {len(failed)}")
    holders = {
        number: {int(line.split()[1]) for line in chaos.lines("started") if int(line.split()[0]) == number}
        for number, times in done.items()
        if times > 1
    }
    sent_again = set(chaos.numbers("sent_again"))
    unexplained = {n: pids for n, pids in holders.items() if not pids & chaos.killed and n not in sent_again}
    assert not unexplained, f"handled more than once, nobody was killed and it was sent once: {story}"


def test_redis(project: Project, own_redis: RedisServer) -> None:
    project.server = own_redis
    dsn = own_redis.url("/orders")
    keep_the_promise(project, own_redis, {"ASYNC_DSN": dsn, "FAILED_DSN": own_redis.url("/failed")})


def test_redis_with_failures_in_sqlite(project: Project, own_redis: RedisServer) -> None:
    project.server = own_redis
    failed = "doctrine://default?queue_name=failed"
    keep_the_promise(project, own_redis, {"ASYNC_DSN": own_redis.url("/orders"), "FAILED_DSN": failed})


def test_postgresql(project: Project, own_postgres: PostgresServer) -> None:
    dsns = {"ASYNC_DSN": "doctrine://default", "FAILED_DSN": "doctrine://default?queue_name=failed"}
    keep_the_promise(project, own_postgres, {"DATABASE_URL": own_postgres.url, **dsns})


def test_sqlite(project: Project) -> None:
    dsns = {"ASYNC_DSN": "doctrine://default", "FAILED_DSN": "doctrine://default?queue_name=failed"}
    keep_the_promise(project, None, {"DATABASE_URL": "sqlite:///messages.db", **dsns})
