"""A stream with a maximum: who sends is refused or waits, and nothing that was accepted is dropped."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from messenger import ConfigError, DelayStamp, RedeliveryStamp, TransportFull, TransportUnavailable
from messenger.redis.connection import RedisConnection
from messenger.redis.dsn import parse_redis_dsn
from messenger.transports.redis.sending import BoundedStream
from messenger.transports.redis.transport import RedisTransport
from tests.integration.redis.conftest import Open
from tests.integration.redis.orders import LONG, number_of, order, stored, take
from tests.support.servers import wait_until

KEEP = "delete_after_ack=false&delete_after_reject=false"


def fill(transport: RedisTransport, count: int) -> None:
    for number in range(count):
        transport.send(order(number))


def test_a_full_stream_refuses_the_next_message_and_keeps_all_it_has(opened: Open, client: redis.Redis) -> None:
    transport = opened("/orders?stream_max_entries=3")
    fill(transport, 3)
    held = take(transport)
    with pytest.raises(TransportFull) as caught:
        transport.send(order(3))
    assert str(caught.value) == (
        "transport 'orders' is full: stream 'orders' holds 3 messages that are not handled yet (stream_max_entries); "
        "nothing was sent: try again later, start more workers, or raise stream_max_entries"
    )
    assert isinstance(caught.value, TransportUnavailable), "a handler that meets it goes back without losing a try"
    transport.ack(held)
    transport.send(order(3))
    assert [number_of(take(transport)) for _ in range(3)] == [1, 2, 3]
    assert client.xlen("orders") == 3


def test_senders_at_the_same_time_never_exceed_the_maximum(opened: Open, client: redis.Redis) -> None:
    transports = [opened("/orders?stream_max_entries=50", worker=f"w{index}") for index in range(6)]

    def send(transport: RedisTransport) -> int:
        accepted = 0
        for number in range(20):
            try:
                transport.send(order(number))
                accepted += 1
            except TransportFull:
                continue
        return accepted

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(send, transports)) == 50
    assert client.xlen("orders") == 50


def test_what_was_accepted_before_always_finds_room(opened: Open, client: redis.Redis) -> None:
    transport = opened("/orders?stream_max_entries=2")
    fill(transport, 2)
    transport.send(order(2).with_stamps(DelayStamp(60_000)))  # kept back: it does not count yet
    transport.send(order(3).with_stamps(RedeliveryStamp(0)))  # a hand-over to a failure transport
    held = take(transport)
    transport.requeue(held, held.with_stamps(RedeliveryStamp(1)))  # a retry
    assert client.xlen("orders") == 3
    client.zadd("orders__queue", {stored(4): 1})
    assert sorted(number_of(take(transport)) for _ in range(4)) == [0, 1, 3, 4], "what is due is moved in"


def test_block_waits_until_there_is_room(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver = opened()
    fill(receiver, 2)
    sender = opened("/orders?stream_max_entries=2&stream_full=block&stream_full_timeout=60")
    tried = threading.Event()
    add = BoundedStream._bound

    def noticed(bounded: BoundedStream, connection: RedisConnection, *payload: bytes) -> bytes | None:
        found = add(bounded, connection, *payload)
        tried.set()
        return found

    monkeypatch.setattr(BoundedStream, "_bound", noticed)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(sender.send, order(2))
        assert tried.wait(LONG)
        assert not waiting.done()
        receiver.ack(take(receiver))
        assert waiting.result(LONG).id is not None
    assert [number_of(take(receiver)) for _ in range(2)] == [1, 2]


def test_block_gives_up_after_its_time(opened: Open, client: redis.Redis) -> None:
    transport = opened("/orders?stream_max_entries=1&stream_full=block&stream_full_timeout=0.1")
    fill(transport, 1)
    with pytest.raises(TransportFull, match=r"transport 'orders' is full, still after 0\.1 s: "):
        transport.send(order(1))
    assert client.xlen("orders") == 1


def test_kept_entries_make_room_once_all_before_them_are_handled(opened: Open, client: redis.Redis) -> None:
    transport = opened(f"/orders?stream_max_entries=4&{KEEP}")
    fill(transport, 4)
    first, *later = [take(transport) for _ in range(3)]
    for envelope in later:
        transport.ack(envelope)
    with pytest.raises(TransportFull):
        transport.send(order(4))
    assert client.xlen("orders") == 4, "what lies behind one that is still worked on stays"
    transport.ack(first)
    for number in range(4, 7):
        transport.send(order(number))
    with pytest.raises(TransportFull):
        transport.send(order(7))
    assert [number_of(take(transport)) for _ in range(4)] == [3, 4, 5, 6]


def test_a_group_that_has_not_read_an_entry_keeps_it(opened: Open, client: redis.Redis) -> None:
    one, two = opened(f"/orders/one?stream_max_entries=2&{KEEP}"), opened(f"/orders/two?{KEEP}")
    two.setup()
    fill(one, 2)
    for _ in range(2):
        one.ack(take(one))
    with pytest.raises(TransportFull):
        one.send(order(2))
    two.ack(take(two))
    one.send(order(2))
    assert client.xlen("orders") == 2
    assert [number_of(take(two)) for _ in range(2)] == [1, 2]


def test_without_a_group_everything_is_unhandled(opened: Open, client: redis.Redis) -> None:
    transport = opened("/orders?stream_max_entries=3&auto_setup=false")
    fill(transport, 3)
    with pytest.raises(TransportFull):
        transport.send(order(3))
    assert client.xlen("orders") == 3


def test_acknowledging_shortens_what_others_have_added(opened: Open, client: redis.Redis) -> None:
    fill(opened(f"/orders?{KEEP}"), 110)
    transport = opened(f"/orders?stream_max_entries=10&{KEEP}")
    for _ in range(100):
        transport.ack(take(transport))
    wait_until(lambda: client.xlen("orders") == 10, LONG, "the handled ones are gone")
    assert [number_of(take(transport)) for _ in range(10)] == list(range(100, 110))


@pytest.mark.parametrize("value", ["drop", "", "REFUSE"])
def test_another_value_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match=r"option stream_full: found .*; allowed: refuse, or block"):
        parse_redis_dsn("async", f"redis://h?stream_full={value}")
