"""The fleet's rate limiter, on a real Redis."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from messenger import TransportUnavailable
from messenger.rate_limit.in_redis import RedisRateLimiter
from messenger.rate_limit.limiter import Rate
from messenger.redis.dsn import parse_redis_dsn
from tests.support.servers import RedisServer, wait_until

HAMMER = Path(__file__).with_name("hammer.py")
KEY = "test:rate:sms"
HOUR = 3600.0


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    with redis_server.client() as made:
        yield made


def limiter(server: RedisServer, rate: Rate, *, in_turn: bool = False) -> RedisRateLimiter:
    return RedisRateLimiter(parse_redis_dsn("control", server.url()), KEY, rate, in_turn=in_turn)


def hammer(server: RedisServer, processes: int, asks: int, rate: Rate) -> list[tuple[float, float]]:
    """When the tokens were taken that so many processes got who all asked so often at once."""
    arguments = [str(value) for value in (server.url(), asks, rate.limit, rate.interval, rate.burst)]
    command = [sys.executable, str(HAMMER), *arguments]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    taken: list[tuple[float, float]] = []
    for process in running:
        output, _ = process.communicate(timeout=60)
        taken += [(before, after) for before, after in json.loads(output)]
    return sorted(taken)


def test_eight_processes_get_exactly_as_many_tokens_as_there_are(redis_server: RedisServer) -> None:
    assert len(hammer(redis_server, 8, 200, Rate(1, HOUR, burst=500))) == 500


def test_in_no_window_are_more_tokens_than_the_limit_and_the_burst_allow(redis_server: RedisServer) -> None:
    rate = Rate(100, 0.5, burst=10)
    taken = hammer(redis_server, 8, 1500, rate)
    assert len(taken) > rate.burst, "some came while they asked"
    most = max(
        sum(1 for other in taken if start <= other[0] and other[1] < start + rate.interval) for start, _ in taken
    )
    assert most <= rate.limit + rate.burst - 1


def test_a_refusal_says_when_the_next_token_comes(redis_server: RedisServer) -> None:
    sms = limiter(redis_server, Rate(1, HOUR, burst=2))
    assert [sms.acquire(""), sms.acquire("")] == [0.0, 0.0]
    assert HOUR - 60 < sms.acquire("") <= HOUR
    assert HOUR - 60 < sms.acquire("") <= HOUR, "asking takes nothing"


def test_after_the_time_it_said_there_is_a_token(redis_server: RedisServer) -> None:
    sms = limiter(redis_server, Rate(20, 1.0))
    assert sms.acquire("") == 0.0
    assert 0 < sms.acquire("") <= 0.05
    wait_until(lambda: sms.acquire("") == 0.0, 30, "a token")


def test_a_token_given_back_is_there_again_once(redis_server: RedisServer) -> None:
    sms, other = (limiter(redis_server, Rate(1, HOUR, burst=2)) for _ in range(2))
    assert [sms.acquire(""), other.acquire("")] == [0.0, 0.0]
    sms.give_back("")
    assert other.acquire("") == 0.0
    assert other.acquire("") > 0


def test_what_has_grown_again_is_not_given_twice(redis_server: RedisServer, client: redis.Redis) -> None:
    fast, slow = limiter(redis_server, Rate(1000, 1.0, burst=1)), limiter(redis_server, Rate(1, HOUR))
    assert fast.acquire("") == 0.0
    began = redis_time(client)
    wait_until(lambda: redis_time(client) - began > 1000, 30, "the token is there again")
    assert slow.acquire("") == 0.0
    before = client.hget(KEY, "full_at")
    fast.give_back("")
    assert client.hget(KEY, "full_at") == before


def redis_time(client: redis.Redis) -> int:
    """The server's clock, µs."""
    seconds, microseconds = client.time()
    return int(seconds) * 1_000_000 + int(microseconds)


def test_each_key_has_tokens_of_its_own(redis_server: RedisServer, client: redis.Redis) -> None:
    sms = limiter(redis_server, Rate(1, HOUR))
    assert [sms.acquire("+49 1"), sms.acquire("+49 2"), sms.acquire("")] == [0.0, 0.0, 0.0]
    assert sms.acquire("+49 1") > 0
    assert set(client.keys()) == {b"test:rate:sms", b"test:rate:sms:+49 1", b"test:rate:sms:+49 2"}


@pytest.mark.parametrize("in_turn", [False, True])
def test_every_key_expires_when_its_tokens_are_back(
    redis_server: RedisServer, client: redis.Redis, in_turn: bool
) -> None:
    sms = limiter(redis_server, Rate(1, 100.0), in_turn=in_turn)
    assert sms.acquire("a") == 0.0
    assert 99_000 < ttl(client, f"{KEY}:a") <= 100_000
    sms.acquire("a")
    assert 99_000 < ttl(client, f"{KEY}:a") <= 200_000
    sms.give_back("a")
    assert ttl(client, f"{KEY}:a") > 0
    sms.give_back("b")
    assert client.exists(f"{KEY}:b") == 0


def ttl(client: redis.Redis, key: str) -> int:
    found: Any = client.pttl(key)
    return int(found)


def test_those_who_are_refused_are_told_different_times(redis_server: RedisServer) -> None:
    sms = limiter(redis_server, Rate(10, 100.0), in_turn=True)
    assert sms.acquire("a") == 0.0
    waits = [sms.acquire("a") for _ in range(8)]
    assert [round(wait, -1) for wait in waits] == [10, 20, 30, 40, 50, 60, 60, 60], "never more than a minute"
    assert sms.acquire("b") == 0.0


def test_one_whose_turn_has_come_is_not_sent_to_the_end(redis_server: RedisServer) -> None:
    sms = limiter(redis_server, Rate(10, 100.0), in_turn=True)
    assert sms.acquire("a") == 0.0
    assert [round(sms.acquire("a"), -1) for _ in range(2)] == [10, 20]
    assert [round(sms.acquire_in_turn("a"), -1) for _ in range(3)] == [10, 10, 10]
    assert round(sms.acquire("a"), -1) == 30, "it has taken no further turn"


def test_the_longest_wait_is_what_the_limit_needs_even_where_that_is_more_than_a_minute(
    redis_server: RedisServer,
) -> None:
    sms = limiter(redis_server, Rate(1, HOUR), in_turn=True)
    assert sms.acquire("a") == 0.0
    assert [round(sms.acquire("a"), -2) for _ in range(3)] == [HOUR, HOUR, HOUR]


def test_a_clock_that_was_set_back_does_not_close_the_limiter(redis_server: RedisServer, client: redis.Redis) -> None:
    sms = limiter(redis_server, Rate(10, 1.0, burst=5))
    client.hset(KEY, "full_at", str(redis_time(client) + 86_400_000_000))
    assert 0 < sms.acquire("") <= 0.1


def test_it_goes_on_after_the_server_forgot_the_script(redis_server: RedisServer, client: redis.Redis) -> None:
    sms = limiter(redis_server, Rate(1, HOUR, burst=2))
    assert sms.acquire("") == 0.0
    client.script_flush()
    assert sms.acquire("") == 0.0
    assert sms.acquire("") > 0


def test_a_server_that_is_away_is_an_error_of_its_own(redis_server: RedisServer) -> None:
    sms = limiter(redis_server, Rate(1, HOUR))
    redis_server.stop()
    with pytest.raises(TransportUnavailable, match="redis at 127.0.0.1"):
        sms.acquire("")
    redis_server.start()
    assert sms.acquire("") == 0.0
    sms.close()
