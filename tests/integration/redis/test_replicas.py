"""wait_replicas: a dispatch returns once replicas have the message, or says that it is stored all the same."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from messenger import ConfigError, DelayStamp, NotReplicated, RedeliveryStamp, TransportError, TransportUnavailable
from messenger.redis.dsn import parse_redis_dsn
from messenger.transports.redis.transport import RedisTransport
from tests.integration.redis.conftest import Open
from tests.integration.redis.orders import LONG, number_of, order, take
from tests.integration.redis.servers import Replica
from tests.support.servers import RedisServer, wait_until


@pytest.fixture(scope="module")
def _servers() -> Iterator[tuple[RedisServer, Replica]]:
    master = RedisServer()
    replica = Replica(master)
    try:
        master.start()
        with master.client() as client:
            client.config_set("repl-diskless-sync-delay", 0)
            replica.start()
            wait_until(lambda: client.wait(1, 100) == 1, LONG, "the replica is in step")
        yield master, replica
    finally:
        replica.destroy()
        master.destroy()


@pytest.fixture
def master(_servers: tuple[RedisServer, Replica]) -> RedisServer:
    """A server with one replica; empty."""
    _servers[0].clear()
    return _servers[0]


@pytest.fixture
def replica(_servers: tuple[RedisServer, Replica]) -> Replica:
    return _servers[1]


@contextmanager
def silent(replica: Replica) -> Iterator[None]:
    """Inside, the replica is connected and answers nothing."""
    os.kill(replica.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(replica.pid, signal.SIGCONT)


@pytest.mark.parametrize(("stamps", "key"), [((), "orders"), ((DelayStamp(60_000),), "orders__queue")])
def test_a_replica_has_what_was_dispatched(
    opened: Open, master: RedisServer, replica: Replica, stamps: tuple[DelayStamp, ...], key: str
) -> None:
    transport = opened(master.url("/orders?wait_replicas=1&wait_replicas_timeout=9"))
    for number in range(20):
        transport.send(order(number).with_stamps(*stamps))
        with replica.client() as client:
            count = client.zcard(key) if stamps else client.xlen(key)
            assert count == number + 1


@pytest.mark.parametrize("stamps", [(), (DelayStamp(60_000),)])
def test_without_enough_replicas_it_is_stored_and_the_error_says_so(
    opened: Open, master: RedisServer, replica: Replica, stamps: tuple[DelayStamp, ...]
) -> None:
    transport = opened(master.url("/orders?wait_replicas=1&wait_replicas_timeout=0.05"))
    with silent(replica), pytest.raises(NotReplicated) as caught:
        transport.send(order(1).with_stamps(*stamps))
    (envelope,) = transport.all(10)
    assert number_of(envelope) == 1
    text = str(caught.value)
    assert text.startswith(
        f"transport 'orders': message {envelope.id} is stored by redis at 127.0.0.1:{master.port} (db 0), and 0 of 1 "
        "replicas have confirmed it in 0.05 s (wait_replicas): it is handled unless a failover"
    )
    assert "Sent again it may be handled twice; not sent again it may be lost." in text
    assert isinstance(caught.value, TransportError)
    assert not isinstance(caught.value, TransportUnavailable), "who waits and sends again would send it twice"


def test_more_replicas_than_there_are(opened: Open, master: RedisServer) -> None:
    transport = opened(master.url("/orders?wait_replicas=2&wait_replicas_timeout=0.5"))
    with pytest.raises(NotReplicated, match=r"and 1 of 2 replicas have confirmed it"):
        transport.send(order(1))


def test_a_retry_and_a_hand_over_wait_for_nobody(opened: Open, master: RedisServer, replica: Replica) -> None:
    transport = opened(master.url("/orders?wait_replicas=1&wait_replicas_timeout=0.05"))
    transport.send(order(1))
    with silent(replica):
        received = take(transport)
        transport.requeue(received, received.with_stamps(RedeliveryStamp(1)))
        transport.send(order(2).with_stamps(RedeliveryStamp(0)))  # into a failure transport
        transport.send(received)  # `failed retry`
        assert sorted(number_of(take(transport)) for _ in range(3)) == [1, 1, 2]


def test_a_connection_that_broke_in_between_confirms_nothing(
    opened: Open, master: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = opened(master.url("/orders?wait_replicas=1&wait_replicas_timeout=9"))
    transport.setup()
    store = RedisTransport._store

    def store_and_lose(*arguments: Any) -> str:
        message_id = store(*arguments)
        with master.client() as client:
            client.client_kill_filter(_type="normal", skipme=True)
        return message_id

    monkeypatch.setattr(RedisTransport, "_store", store_and_lose)
    with pytest.raises(NotReplicated, match="whether replicas have it is not known"):
        transport.send(order(1))
    assert len(transport.all(10)) == 1


def test_who_may_not_wait_is_told(opened: Open, master: RedisServer) -> None:
    with master.client() as client:
        client.execute_command("ACL", "SETUSER", "app", "on", ">pw", "~*", "&*", "+@all", "-wait")
    dsn = master.url("/orders?wait_replicas=1").replace("redis://", "redis://app:pw@")
    with pytest.raises(NotReplicated, match=r"is stored .* not known \(.*no permissions to run the 'wait' command"):
        opened(dsn).send(order(1))


@pytest.mark.parametrize(
    "query", ["wait_replicas_timeout=0", "wait_replicas_timeout=10", "wait_replicas_timeout=5&read_timeout=5"]
)
def test_a_time_that_cannot_be_waited_is_refused(query: str) -> None:
    with pytest.raises(ConfigError, match=r"option wait_replicas_timeout: found .*; allowed: seconds, more than 0 and"):
        parse_redis_dsn("async", f"redis://h?wait_replicas=1&{query}")
    parse_redis_dsn("async", f"redis://h?{query}")
