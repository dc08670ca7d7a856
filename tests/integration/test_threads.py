"""One application, dispatched from by many threads: nothing is lost, doubled or mixed up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from messenger import Application, DeduplicateStamp, DuplicateOfStamp, MessageIdsStamp
from tests.integration.transports.test_several_senders import in_threads
from tests.support.application_project import Project
from tests.support.servers import PostgresServer, RedisServer

MODULE = """
import asyncio
from contextvars import ContextVar
from dataclasses import dataclass
from messenger import DispatchAfterCurrentBusStamp, Envelope, MessageBus, MessageIdsStamp, handler
from sqlalchemy import Connection

seen = []

@dataclass
class Sent:
    n: int

@dataclass
class Root:
    n: int

@dataclass
class Child:
    n: int

@dataclass
class Order:
    n: int

@handler
def sent(m: Sent): ...

@handler
async def root(m: Root, bus: MessageBus):
    await asyncio.sleep(0.01)
    bus.dispatch(Child(m.n))
    bus.dispatch(Child(m.n), [DispatchAfterCurrentBusStamp()])

@handler
def child(m: Child, envelope: Envelope):
    seen.append((m.n, envelope.last(MessageIdsStamp)))
"""
ORDER = """
@handler
def order(m: Order, bus: MessageBus, connection: Connection):
    bus.dispatch(Sent(m.n))
    if m.n % 2:
        raise ValueError("no order")
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.syspath_prepend(str(tmp_path))
    return Project(tmp_path)


def load(project: Project, server: RedisServer, yaml: str = "") -> Application:
    return project.load(
        f"  routing: {{MODULE.Sent: async}}\n{yaml}",
        module=MODULE,
        transports=f"async: {{dsn: '{server.url('/threads')}'}}",
    )


def test_16_threads_send_2000_messages_each(project: Project, redis_server: RedisServer) -> None:
    application = load(project, redis_server)
    replies: dict[str, int] = {}

    def work(index: int) -> None:
        for number in range(index * 2000, (index + 1) * 2000):
            replies[application.dispatch(project.Sent(number)).id or ""] = number

    in_threads(16, work)
    with redis_server.client() as client:
        entries: Any = client.xrange("threads")
        connections = [each for each in client.client_list() if each["name"] == "messenger"]
    stored = {key.decode(): json.loads(json.loads(value[b"message"])["body"])["n"] for key, value in entries}
    assert len(stored) == 32_000
    assert stored == replies, "each thread got the replies to its own messages"
    assert len(connections) <= 16
    application.close()


def test_of_messages_with_one_key_one_is_sent(project: Project, redis_server: RedisServer) -> None:
    application = load(project, redis_server)
    results: list[Any] = []
    in_threads(16, lambda index: results.append(application.dispatch(project.Sent(index), [DeduplicateStamp("one")])))
    sent = [each for each in results if each.last(DuplicateOfStamp) is None]
    assert len(sent) == 1
    holder = sent[0].last(MessageIdsStamp).message_id
    assert {each.last(DuplicateOfStamp).message_id for each in results if each is not sent[0]} == {holder}
    in_threads(16, lambda index: application.dispatch(project.Sent(index), [DeduplicateStamp(f"key {index}")]))
    assert application.transport("async").depth().ready == 17
    application.close()


def test_what_follows_belongs_to_the_message_of_its_thread(project: Project, redis_server: RedisServer) -> None:
    application = load(project, redis_server)
    roots: dict[int, str] = {}

    def work(index: int) -> None:
        ids = application.dispatch(project.Root(index)).last(MessageIdsStamp)
        assert ids is not None
        roots[index] = ids.message_id

    in_threads(16, work)
    assert len(project.seen) == 32
    for number, ids in project.seen:
        assert ids.correlation_id == roots[number]
        assert ids.causation_id in (roots[number], None)
    application.close()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_each_thread_has_a_transaction_of_its_own(
    project: Project, request: pytest.FixtureRequest, tmp_path: Path, database: str
) -> None:
    server: PostgresServer | None = request.getfixturevalue("postgres_server") if database == "postgresql" else None
    url = server.url if server is not None else f"sqlite:///{tmp_path}/shop.db"
    yaml = (
        f"  connections: {{shop: '{url}'}}\n  routing: {{MODULE.Sent: async}}\n"
        "  buses: {b: {middleware: [{doctrine_transaction: [shop]}]}}"
    )
    application = project.load(yaml, module=MODULE + ORDER, transports="async: 'doctrine://shop?queue_name=threads'")
    application.transport("async").setup()

    def work(index: int) -> None:
        if index % 2:
            with pytest.raises(Exception, match="no order"):
                application.dispatch(project.Order(index))
        else:
            application.dispatch(project.Order(index))

    in_threads(16, work)
    found = sorted(envelope.message.n for envelope in application.transport("async").all(100))  # type: ignore[attr-defined]
    assert found == list(range(0, 16, 2)), "what was dispatched in a transaction that failed was never sent"
    application.close()


def test_what_outlives_a_dispatch_is_outside_of_it(project: Project, redis_server: RedisServer) -> None:
    """A task that a handler left has the context of a dispatch that is over: nothing waits for its end any more."""
    left = (
        "tasks = []\nreleased = asyncio.Event()\n"
        "async def later(m, bus):\n"
        "    await released.wait()\n"
        "    bus.dispatch(Sent(m.n), [DispatchAfterCurrentBusStamp()])\n"
        "@handler\nasync def order(m: Order, bus: MessageBus):\n"
        "    if m.n == 1: tasks.append(asyncio.create_task(later(m, bus)))\n"
        "    else:\n        released.set()\n        await asyncio.gather(*tasks)\n"
    )
    application = project.load(
        "  routing: {MODULE.Sent: async}", module=MODULE + left, transports=f"async: '{redis_server.url('/threads')}'"
    )
    application.dispatch(project.Order(1))
    application.dispatch(project.Order(2))
    assert application.transport("async").depth().ready == 1
    application.close()
