"""The clock of Redis goes back an hour: what a killed worker held is handed out again after one lease."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from messenger.errors import TransportUnavailable
from messenger.stamps import DeliveryStamp
from tests.integration.redis.conftest import Open
from tests.integration.redis.orders import LONG, order, take
from tests.support.servers import RedisServer, wait_until

HOUR = 3600
PATH = "?redeliver_timeout=1&claim_interval=100"


def crc64(data: bytes) -> int:
    """The checksum of DUMP (CRC-64/Redis, reflected polynomial of Jones)."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x95AC9329AC4BC9B5 if crc & 1 else 0)
    return crc


def lease_in_an_hour(server: RedisServer, stream: str, group: str) -> None:
    """The delivery times of a group as a clock wrote them that was an hour ahead of what it is now."""
    with server.client() as client:
        full: Any = client.execute_command("XINFO", "STREAM", stream, "FULL")
        times = {entry[2] for each in full[b"groups"] for entry in each[b"pending"]}
        dump: Any = client.dump(stream)
        content = dump[:-8]
        for time in times:
            old, new = struct.pack("<Q", time), struct.pack("<Q", time + HOUR * 1000)
            assert old in content
            content = content.replace(old, new)
        client.restore(stream, 0, content + struct.pack("<Q", crc64(content)), replace=True)
        pending: Any = client.xpending_range(stream, group, "-", "+", 10)
        assert [each["time_since_delivered"] for each in pending] == [0] * len(times)


def test_a_lease_costs_no_more_than_itself(opened: Open, redis_server: RedisServer) -> None:
    dead, alive = opened(f"/orders{PATH}", "dead"), opened(f"/orders{PATH}", "alive")
    dead.send(order(1))
    take(dead)
    lease_in_an_hour(redis_server, "orders", "symfony")
    again = take(alive)
    stamp = again.last(DeliveryStamp)
    assert stamp is not None
    assert stamp.count == 2
    alive.ack(again)


def test_what_is_worked_on_is_not_taken_over(opened: Open, redis_server: RedisServer) -> None:
    busy, other = opened(f"/orders{PATH}", "busy"), opened(f"/orders{PATH}", "other")
    busy.send(order(1))
    held = take(busy)
    lease_in_an_hour(redis_server, "orders", "symfony")
    looks = 0

    def looked_often() -> bool:
        nonlocal looks
        busy.keepalive(held)
        assert not other.get(0.1, lambda: False)
        looks += 1
        return looks > 25

    wait_until(looked_often, LONG, "two and a half leases")
    busy.ack(held)


def test_a_consumer_name_is_free_after_a_lease(opened: Open, redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.set("orders__consumer:symfony:me", "killed", px=HOUR * 1000)
        transport = opened(f"/orders/symfony/me{PATH}", "new")
        transport.send(order(1))
        with pytest.raises(TransportUnavailable, match="in use by worker killed"):
            transport.get(0.0, lambda: False)
        left: Any = client.pttl("orders__consumer:symfony:me")
        assert 0 < left <= 1000


def test_a_consumer_name_is_given_back_by_its_owner_only(opened: Open, redis_server: RedisServer) -> None:
    first = opened(f"/orders/symfony/me{PATH}", "first")
    first.send(order(1))
    held = take(first)
    with redis_server.client() as client:
        client.set("orders__consumer:symfony:me", "second", px=HOUR)  # its lease had run out, and another has the name
        first.ack(held)
        first.close()
        assert client.get("orders__consumer:symfony:me") == b"second"
