"""What somebody else has written into keys beside the control plane's: locks, rate limits, groups, delayed messages."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis

from messenger.deduplication.in_redis import RedisLockStore
from messenger.rate_limit.in_redis import RedisRateLimiter
from messenger.rate_limit.limiter import Rate
from messenger.redis.dsn import parse_redis_dsn
from messenger.stamps import DelayStamp
from tests.integration.redis.conftest import Open
from tests.integration.redis.orders import number_of, order, take
from tests.support.servers import RedisServer

LOCK = "test:deduplicate:k"
LIMIT = "test:rate:sms"
NO_LOCKS: list[tuple[Any, ...]] = [
    ("SET", "KEY", "somebody"),  # it never expires
    ("SET", "KEY", "somebody", "PX", 2**60),
    ("SET", "KEY", b"\xff" * 5000, "PX", 60_000),
    ("SETRANGE", "KEY", 20_000_000, "x"),
    ("SET", "KEY", "", "PX", 60_000),
    ("RPUSH", "KEY", "x"),
    ("HSET", "KEY", "x", "y"),
]


def plant(client: redis.Redis, command: tuple[Any, ...], key: str) -> None:
    client.delete(key)
    client.execute_command(*(key if word == "KEY" else word for word in command))  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("command", NO_LOCKS)
def test_what_is_no_lock_locks_nothing(redis_server: RedisServer, client: redis.Redis, command: Any) -> None:
    store = RedisLockStore(parse_redis_dsn("control", redis_server.url()), "test:deduplicate")
    for step in (store.renew, store.take):
        plant(client, command, LOCK)
        step("k", "a", 10)
    assert client.get(LOCK) == b"a"
    assert 0 < client.pttl(LOCK) <= 10_000
    plant(client, command, LOCK)
    store.release("k", "a")
    store.close()


@pytest.mark.parametrize("command", NO_LOCKS)
def test_a_consumer_name_is_held_by_a_worker_only(opened: Open, client: redis.Redis, command: Any) -> None:
    transport = opened("/orders/symfony/me", "one")
    plant(client, command, "orders__consumer:symfony:me")
    transport.send(order(1))
    transport.ack(take(transport))
    assert client.get("orders__consumer:symfony:me") == b"one"


@pytest.mark.parametrize(
    "value", ["garbage", "nan", "inf", "-5", "1e300", "9" * 20, "9" * 5000, b"\xff", "0x10", " 12 "]
)
def test_a_rate_limit_that_is_no_number_counts_from_the_beginning(
    redis_server: RedisServer, client: redis.Redis, value: Any
) -> None:
    options = parse_redis_dsn("control", redis_server.url())
    limiter = RedisRateLimiter(options, LIMIT, Rate(1, 3600.0), in_turn=True)
    client.hset(LIMIT, mapping={"full_at": value, "last_turn": value})
    waits = [limiter.acquire(""), limiter.acquire("")]
    assert all(0 <= wait <= 2 * 3600 + 61 for wait in waits)
    limiter.give_back("")
    assert 0 < client.pttl(LIMIT) <= 3 * 3_600_000
    limiter.close()


@pytest.mark.parametrize("command", [("SET", "KEY", "x"), ("RPUSH", "KEY", "x")])
def test_a_rate_limit_that_is_no_hash(redis_server: RedisServer, client: redis.Redis, command: Any) -> None:
    limiter = RedisRateLimiter(parse_redis_dsn("control", redis_server.url()), LIMIT, Rate(1, 3600.0))
    plant(client, command, LIMIT)
    limiter.give_back("")
    plant(client, command, LIMIT)
    assert limiter.acquire("") == 0.0
    limiter.close()


def test_a_group_whose_name_is_no_text(opened: Open, client: redis.Redis) -> None:
    transport = opened("/orders")
    transport.send(order(1))
    client.xgroup_create("orders", b"\xff\xfe", "0")
    assert transport.depth().ready == 1
    assert [number_of(each) for each in transport.all(10)] == [1]
    transport.ack(take(transport))


@pytest.mark.parametrize("score", ["inf", "-inf", "1e300"])
def test_a_delayed_message_that_is_due_at_no_time(opened: Open, client: redis.Redis, score: str) -> None:
    transport = opened("/orders")
    transport.send(order(1))
    transport.send(order(2).with_stamps(DelayStamp(3_600_000)))
    members: Any = client.zrange("orders__queue", 0, -1)
    client.zadd("orders__queue", {members[0]: score})
    depth = transport.depth()
    json.dumps(depth.next_due_seconds, allow_nan=False)
    transport.begin_wait(0.01)
    transport.ack(transport.end_wait()[0])
    if score == "-inf":
        assert number_of(take(transport)) == 2


@pytest.mark.parametrize("uniqid", ["\x1b[31m", "x" * 100_000, ["a"], {"b": 1}, None, 7, ""])
def test_a_delayed_message_with_an_odd_id(opened: Open, client: redis.Redis, uniqid: object) -> None:
    transport = opened("/orders")
    member = json.dumps({"body": "{}", "headers": {"type": "x"}, "uniqid": uniqid})
    client.zadd("orders__queue", {member: 9e15})
    (found,) = transport.all(10)
    assert found.id == "unreadable"
    assert transport.find("unreadable") is not None
