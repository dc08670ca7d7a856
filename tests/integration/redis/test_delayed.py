"""Delayed messages: one atomic, verbatim move by the server's clock."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest
import redis

from messenger import DelayStamp, TransportError
from messenger.envelope import AnyEnvelope
from messenger.redis.scripts import Script
from messenger.transports.redis.transport import RedisTransport
from messenger.wire import php_string
from messenger.wire.serializer import Serializer
from tests.integration.redis.conftest import Open
from tests.integration.redis.orders import number_of, order, stored, take

BIG = b'{"body":"{\\"number\\":12345678901234567890,\\"float\\":1.10,\\"e\\":1E400}","headers":[],"uniqid":"u"}'
MEMBERS = {"numbers": BIG, "text": stored(7, 'ü 🐘 " \\ \n'), "no JSON": b"\x00\xff;s:3:", "empty": b""}


def values(client: redis.Redis, stream: str = "orders") -> list[bytes]:
    entries = cast("list[tuple[bytes, dict[bytes, bytes]]]", client.xrange(stream))
    return [fields[b"message"] for _, fields in entries]


@pytest.mark.parametrize("name", MEMBERS)
@pytest.mark.parametrize("serializer", [0, 1])
def test_what_is_due_is_moved_byte_for_byte(opened: Open, client: redis.Redis, name: str, serializer: int) -> None:
    member = MEMBERS[name]
    client.zadd("orders__queue", {member: 1})
    assert len(opened(f"/orders?serializer={serializer}").get(0, lambda: False)) == 1
    assert values(client) == [php_string.wrap(member) if serializer else member]
    assert client.zcard("orders__queue") == 0


def test_a_server_that_does_not_know_the_script_yet_hands_out_what_is_due_at_once(
    opened: Open, client: redis.Redis
) -> None:
    client.script_flush()
    client.zadd("orders__queue", {stored(1): 1})
    assert len(opened().get(0, lambda: False)) == 1


def test_what_is_not_due_stays(opened: Open, client: redis.Redis) -> None:
    seconds, _ = client.time()
    client.zadd("orders__queue", {stored(1): (seconds + 60) * 1000, stored(2): (seconds - 60) * 1000})
    transport = opened()
    assert number_of(take(transport)) == 2
    assert transport.get(0, lambda: False) == []
    assert client.zcard("orders__queue") == 1


def test_the_servers_clock_counts(opened: Open, client: redis.Redis) -> None:
    before, _ = client.time()
    opened().send(order(1).with_stamps(DelayStamp(3_600_000)))
    after, _ = client.time()
    found = cast("list[tuple[bytes, float]]", client.zrange("orders__queue", 0, -1, withscores=True))
    ((member, due),) = found
    assert (before + 3600) * 1000 <= due <= (after + 3601) * 1000
    assert b'"uniqid":' in member
    assert member.startswith(b'{"body":'), "bare JSON, whatever the serializer is"


def test_more_than_one_move_can_carry_arrive_each_once_and_in_order(opened: Open, client: redis.Redis) -> None:
    client.zadd("orders__queue", {stored(number): number + 1 for number in range(250)})
    transport = opened()
    assert [number_of(take(transport)) for _ in range(250)] == list(range(250))
    assert client.zcard("orders__queue") == 0


def test_several_workers_that_move_at_once_move_each_once(opened: Open, client: redis.Redis) -> None:
    client.zadd("orders__queue", {stored(number): 1 for number in range(400)})
    transports = [opened(worker=f"w{index}") for index in range(4)]

    def drain(index: int) -> list[int]:
        found: list[int] = []
        while taken := transports[index].get(0, lambda: False):
            found += [number_of(envelope) for envelope in taken]
        return found

    with ThreadPoolExecutor(4) as pool:
        found = [number for part in pool.map(drain, range(4)) for number in part]
    assert sorted(found) == list(range(400))
    assert client.xlen("orders") == 400


def test_nothing_is_moved_when_the_stream_cannot_take_it(opened: Open, client: redis.Redis) -> None:
    client.set("orders", "no stream")
    client.zadd("orders__queue", {stored(1): 1})
    transport = opened("/orders?auto_setup=false")
    with pytest.raises(Exception, match="WRONGTYPE"):
        Script("move_due", "messenger.transports.redis").run(
            transport._connection, ("orders", "orders__queue"), (100, 0)
        )
    assert client.zcard("orders__queue") == 1


def test_a_wait_ends_when_the_next_one_is_due(opened: Open) -> None:
    transport = opened()
    transport.send(order(1).with_stamps(DelayStamp(300)))
    for _ in range(3):  # the read ends at the due time; the next one brings it
        taken: Any = transport.get(1000, lambda: False)
        if taken:
            break
    assert [number_of(envelope) for envelope in taken] == [1]


@pytest.mark.parametrize("id_", ["u7", "5f.7-_", "ü \\ 7", "unreadable"])
def test_a_delayed_message_is_found_without_decoding_the_others(
    opened: Open, client: redis.Redis, monkeypatch: pytest.MonkeyPatch, id_: str
) -> None:
    decoded: list[bytes] = []
    decode = Serializer.decode_stored

    def counted(serializer: Serializer, value: bytes) -> Any:
        decoded.append(value)
        return decode(serializer, value)

    monkeypatch.setattr(Serializer, "decode_stored", counted)
    wanted = b"no JSON" if id_ == "unreadable" else json.dumps({**json.loads(stored(7)), "uniqid": id_}).encode()
    client.zadd("orders__queue", {stored(number, uniqid=f"x{number}"): 4e12 for number in range(700)})
    client.zadd("orders__queue", {wanted: 5e12})
    found = opened().find(id_)
    assert found is not None
    assert found.id == id_
    assert decoded == [wanted]
    assert opened().find("x") is None


def sent_for_later(transport: RedisTransport) -> AnyEnvelope:
    """A delayed message as it is looked up."""
    sent = transport.send(order(1).with_stamps(DelayStamp(3_600_000))).id
    assert sent is not None
    found = transport.find(sent)
    assert found is not None
    return found


@pytest.mark.parametrize("delay", [0, 60_000])
def test_a_delayed_message_is_not_lost_when_there_is_no_memory_to_put_it_back(
    opened: Open, client: redis.Redis, delay: int
) -> None:
    transport = opened()
    found = sent_for_later(transport)
    client.config_set("maxmemory", 1)
    try:
        with pytest.raises(TransportError, match="OOM|maxmemory"):
            transport.requeue(found, found.with_stamps(DelayStamp(delay)))
    finally:
        client.config_set("maxmemory", 0)
    assert found.id is not None
    assert transport.find(found.id) is not None


@pytest.mark.parametrize("delay", [0, 60_000])
def test_a_delayed_message_that_was_removed_meanwhile_is_not_put_back(
    opened: Open, client: redis.Redis, delay: int
) -> None:
    transport = opened()
    found = sent_for_later(transport)
    transport.reject(found)
    transport.requeue(found, found.with_stamps(DelayStamp(delay)))
    assert (client.xlen("orders"), client.zcard("orders__queue")) == (0, 0)
