"""The two stores of locks keep the same rules; the one in Redis on a real one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Protocol

import pytest

from messenger import TransportUnavailable
from messenger.deduplication.in_process import InProcessLockStore
from messenger.deduplication.in_redis import RedisLockStore
from messenger.deduplication.lock_store import LockStore
from messenger.redis.dsn import parse_redis_dsn
from messenger.testing import Clock
from tests.support.paths import ROOT
from tests.support.servers import RedisServer, wait_until

HOUR = 3600.0


class Bench(Protocol):
    """A store, and time that passes."""

    store: LockStore

    def pass_time(self, seconds: float) -> None:
        """Let so much time pass for the locks."""

    def seconds_left(self, key: str) -> float | None:
        """Until a lock expires, rounded; None when nobody has it."""


class InProcess:
    store: LockStore

    def __init__(self) -> None:
        self.clock = Clock()
        self.store = InProcessLockStore(self.clock)

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def seconds_left(self, key: str) -> float | None:
        assert isinstance(self.store, InProcessLockStore)
        _, until = self.store._locks.get(key, ("", 0.0))
        return round(until - self.clock()) if until > self.clock() else None


class InRedis:
    store: LockStore

    def __init__(self, server: RedisServer) -> None:
        self.store = RedisLockStore(parse_redis_dsn("control", server.url()), "test:deduplicate")
        self.client = server.client()

    def pass_time(self, seconds: float) -> None:
        for key in self.client.scan_iter():
            left = max(1, self.client.pttl(key) - int(seconds * 1000))
            self.client.pexpire(key, left)
        wait_until(
            lambda: all(self.client.pttl(key) > 1 for key in self.client.scan_iter()), 30, "those at 1 ms expire"
        )

    def seconds_left(self, key: str) -> float | None:
        left = self.client.pttl(f"test:deduplicate:{key}")
        return round(left / 1000) if left > 0 else None


@pytest.fixture(params=["process", "redis"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    if request.param == "process":
        yield InProcess()
        return
    made = InRedis(request.getfixturevalue("redis_server"))
    yield made
    made.store.close()
    made.client.close()


def test_one_owner_takes_a_lock_and_the_others_are_told_who_has_it(bench: Bench) -> None:
    assert [bench.store.take("k", owner, HOUR) for owner in ("a", "b", "c")] == ["a", "a", "a"]
    assert bench.store.take("other", "b", HOUR) == "b"


def test_the_owner_may_take_it_again_and_that_never_makes_its_time_shorter(bench: Bench) -> None:
    bench.store.take("k", "a", 100)
    assert bench.store.take("k", "a", 50) == "a"
    assert bench.seconds_left("k") == 100
    assert bench.store.take("k", "a", 200) == "a"
    assert bench.seconds_left("k") == 200


def test_after_its_time_it_is_free(bench: Bench) -> None:
    bench.store.take("k", "a", 100)
    bench.pass_time(50)
    assert bench.store.take("k", "b", 100) == "a"
    bench.pass_time(51)
    assert bench.store.take("k", "b", 10) == "b"
    assert bench.seconds_left("k") == 10


def test_the_owner_renews_it_and_that_never_makes_its_time_shorter(bench: Bench) -> None:
    bench.store.take("k", "a", 100)
    bench.pass_time(60)
    bench.store.renew("k", "a", 100)
    assert bench.seconds_left("k") == 100
    bench.store.renew("k", "a", 50)
    assert bench.seconds_left("k") == 100


def test_a_renewal_never_takes_a_lock(bench: Bench) -> None:
    bench.store.renew("k", "a", HOUR)
    assert bench.seconds_left("k") is None
    bench.store.take("k", "a", 100)
    bench.pass_time(101)
    bench.store.renew("k", "a", HOUR)
    assert bench.seconds_left("k") is None
    bench.store.take("k", "b", 100)
    bench.store.renew("k", "a", HOUR)
    assert bench.seconds_left("k") == 100


def test_only_its_owner_frees_it(bench: Bench) -> None:
    bench.store.take("k", "a", HOUR)
    bench.store.release("k", "b")
    assert bench.store.take("k", "b", HOUR) == "a"
    bench.store.release("k", "a")
    bench.store.release("k", "a")
    assert bench.store.take("k", "b", HOUR) == "b"


# --- in Redis -----------------------------------------------------------------------------------------------------


def test_it_goes_on_after_the_server_forgot_the_scripts(redis_server: RedisServer) -> None:
    made = InRedis(redis_server)
    made.store.take("k", "a", 100)
    made.client.script_flush()
    assert made.store.take("k", "b", 100) == "a"
    made.client.script_flush()
    made.store.renew("k", "a", 200)
    assert made.seconds_left("k") == 200
    made.client.script_flush()
    made.store.release("k", "a")
    assert made.client.keys() == []
    made.client.close()


def test_the_rights_that_the_documentation_names_are_enough(redis_server: RedisServer) -> None:
    made = InRedis(redis_server)
    page = (ROOT / "docs/deduplication.md").read_text()
    (rights,) = re.findall(r"user needs `(.*)` on", page)
    rules = ("on", ">locker-s3cr3t", *rights.split(), "+client|setname", "~test:deduplicate:*")
    made.client.execute_command("ACL", "SETUSER", "locker", *rules)  # type: ignore[no-untyped-call]
    url = redis_server.url().replace("redis://", "redis://locker:locker-s3cr3t@")
    store = RedisLockStore(parse_redis_dsn("control", url), "test:deduplicate")
    assert store.take("k", "a", 10) == "a"
    store.renew("k", "a", 100)
    assert made.seconds_left("k") == 100
    store.release("k", "a")
    assert made.seconds_left("k") is None
    store.close()
    made.client.acl_deluser("locker")
    made.client.close()


def test_a_server_that_is_away_is_an_error_of_its_own(redis_server: RedisServer) -> None:
    made = InRedis(redis_server)
    redis_server.stop()
    with pytest.raises(TransportUnavailable, match=r"redis at 127\.0\.0\.1"):
        made.store.take("k", "a", 100)
    redis_server.start()
    assert made.store.take("k", "a", 100) == "a"
    made.store.close()
    made.client.close()
