"""messenger check on Redis servers that are really as it says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from messenger.checks import redis_groups
from messenger.checks.finding import Finding
from messenger.checks.redis import check_redis_transport
from messenger.checks.redis_server import check_server
from messenger.redis.dsn import parse_redis_dsn
from tests.integration.checks.redis_servers import Cramped, WithoutDirectory
from tests.integration.redis.servers import ENCODED, PASSWORD, LockedRedis, Replica, Sentinel
from tests.support.servers import RedisServer, free_port, wait_until

LONG = 30.0  # seconds; how long a test waits for what must come
CHANGED = ("maxmemory", "maxmemory-policy", "appendonly", "appendfsync", "save", "replica-read-only")


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    """A client of the server; what it sets there is taken back."""
    with redis_server.client() as made:
        before: dict[str, Any] = {name: made.config_get(name)[name] for name in CHANGED}
        yield made
        for name, value in before.items():
            made.config_set(name, value)
        made.acl_deluser("app")


@pytest.fixture(scope="module")
def _locked() -> Iterator[LockedRedis]:
    server = LockedRedis()
    try:
        yield server
    finally:
        server.destroy()


@pytest.fixture
def locked(_locked: LockedRedis) -> LockedRedis:
    _locked.start()
    return _locked


def look(dsn: str, **options: object) -> dict[str, Finding]:
    """The worst finding of each check of a transport."""
    found: dict[str, Finding] = {}
    for finding in check_redis_transport("async", parse_redis_dsn("async", dsn, options)):
        known = found.get(finding.check)
        if known is None or known.level == "ok" or finding.level == "fail":
            found[finding.check] = finding
    return found


def said(finding: Finding) -> tuple[str, str, str | None]:
    return finding.level, finding.found, finding.change


# --- reached --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dsn", "advice"),
    [
        ("redis://127.0.0.1:PORT", "correct user and password in the DSN"),
        ("redis://s3cr3t@127.0.0.1:PORT", "correct user and password in the DSN"),
        ("redis://bob:s3cr3t@127.0.0.1:PORT", "correct user and password in the DSN"),
        (f"redis://{ENCODED}@127.0.0.1:PORT?dbindex=99", "take a smaller dbindex in the DSN"),
        (f"rediss://{ENCODED}@127.0.0.1:PORT", "write redis:// instead of rediss://"),
        (f"redis://{ENCODED}@127.0.0.1:TPORT", "write rediss:// instead of redis://"),
        (f"rediss://{ENCODED}@127.0.0.1:TPORT", "name the authority of the server's certificate: ssl[cafile]=FILE"),
        (f"rediss://{ENCODED}@localhost:TPORT?ssl[cafile]=CA", "it must have the host of the DSN"),
        (f"rediss://{ENCODED}@localhost:TPORT?ssl[cafile]=/no/ca.pem", "put that file there, readable for the user"),
        (f"redis://{ENCODED}@127.0.0.1:FREE", "start Redis there, or correct host and port"),
        (f"redis://{ENCODED}@/no/such.sock", "correct the socket's path"),
        (f"redis://{ENCODED}@no-such-host.invalid", "correct the host in the DSN, or its DNS entry"),
        (f"redis://{ENCODED}@?host[127.0.0.1:FREE]&sentinel_master=main", "correct sentinel_master and the sentinels"),
    ],
)
def test_what_to_change_in_a_dsn(locked: LockedRedis, dsn: str, advice: str) -> None:
    found = look(locked.filled(dsn.replace("FREE", str(free_port()))))
    assert list(found) == ["redis-reach"]
    assert found["redis-reach"].level == "fail"
    assert advice in str(found["redis-reach"].change)
    for secret in (PASSWORD, ENCODED, "s3cr3t"):
        assert secret not in str(found["redis-reach"])


def test_tls_that_works(locked: LockedRedis) -> None:
    found = look(locked.filled(f"rediss://{ENCODED}@127.0.0.1:TPORT?ssl[cafile]=CA"))
    assert found["redis-reach"].found == "answers (with TLS, as user 'default' with a password)"


@pytest.mark.parametrize("option", ["cafile", "local_cert", "local_pk"])
def test_a_file_of_the_dsn_that_is_not_there_is_named(locked: LockedRedis, option: str) -> None:
    files = {"cafile": "CA", "local_cert": "CA", "local_pk": "CA"} | {option: "/no/such.pem"}
    query = "&".join(f"ssl[{name}]={file}" for name, file in files.items())
    found = look(locked.filled(f"rediss://{ENCODED}@127.0.0.1:TPORT?{query}"))
    assert f"ssl[{option}]=/no/such.pem: No such file or directory" in found["redis-reach"].found


def test_sentinels(redis_server: RedisServer) -> None:
    sentinel = Sentinel(redis_server)
    try:
        sentinel.start()
        dsn = f"redis:?host[127.0.0.1:{sentinel.port}]&sentinel_master="
        known, unknown = look(f"{dsn}main"), look(f"{dsn}other")
    finally:
        sentinel.destroy()
    assert known["redis-reach"].level == "ok"
    assert unknown["redis-reach"].level == "fail"
    assert unknown["redis-reach"].change == "correct sentinel_master and the sentinels in the DSN"


# --- what the server is ---------------------------------------------------------------------------------------------


def test_a_replica(redis_server: RedisServer) -> None:
    replica = Replica(redis_server)
    try:
        replica.start()
        read_only = look(replica.url())["redis-role"]
        with replica.client() as client:
            client.config_set("replica-read-only", "no")
        writable = look(replica.url())["redis-role"]
    finally:
        replica.destroy()
    master = f"127.0.0.1:{redis_server.port}"
    change = f"the DSN of the master, {master}, or of its sentinels"
    assert said(read_only) == ("fail", f"it is a read-only replica of {master}", change)
    assert writable.level == "fail"
    assert "what is written here is lost at the next synchronisation" in writable.found


@pytest.mark.parametrize(
    ("facts", "level", "found"),
    [
        ({"redis_version": "6.0.16"}, "fail", "Redis 6.0.16 has no XAUTOCLAIM"),
        ({"redis_version": "6.2.0"}, "ok", "Redis 6.2.0"),
        ({"redis_version": "10.0"}, "ok", "Redis 10.0"),
        ({"redis_version": "7.2.4", "valkey_version": "8.0.1"}, "ok", "Valkey 8.0.1"),
        ({"role": "master"}, "ok", "Redis of an unknown version"),
    ],
)
def test_its_version(facts: dict[str, str], level: str, found: str) -> None:
    """By what INFO of such a server says."""
    (finding,) = [
        finding
        for finding in check_server(parse_redis_dsn("async", "redis://h"), facts)
        if finding.check == "redis-version"
    ]
    assert (finding.level, finding.found) == (level, found)


@pytest.mark.parametrize(
    ("policy", "maxmemory", "level", "found"),
    [
        ("allkeys-lfu", "1gb", "fail", "maxmemory-policy is allkeys-lfu: at the memory limit messages are deleted"),
        (
            "allkeys-lru",
            "0",
            "warn",
            "maxmemory-policy is allkeys-lru: with a maxmemory set, messages would be deleted",
        ),
        ("volatile-ttl", "1gb", "warn", "at the memory limit workers vanish from the registry"),
        ("noeviction", "1gb", "ok", "maxmemory-policy is noeviction"),
    ],
)
def test_eviction(
    redis_server: RedisServer, client: redis.Redis, policy: str, maxmemory: str, level: str, found: str
) -> None:
    client.config_set("maxmemory", maxmemory)
    client.config_set("maxmemory-policy", policy)
    finding = look(redis_server.url())["redis-eviction"]
    assert finding.level == level
    assert found in finding.found
    assert (finding.change is None) == (level == "ok")


@pytest.mark.parametrize(("part", "level"), [(2.0, "ok"), (1.05, "warn"), (0.5, "fail")])
def test_memory(redis_server: RedisServer, client: redis.Redis, part: float, level: str) -> None:
    used: Any = client.info()["used_memory"]
    client.config_set("maxmemory", int(used * part))
    finding = look(redis_server.url())["redis-memory"]
    assert finding.level == level
    assert ("nothing can be sent" in finding.found) == (level == "fail")


# --- what it keeps --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "level", "found"),
    [
        ({"appendonly": "yes", "appendfsync": "everysec"}, "ok", "append-only file is on (appendfsync everysec)"),
        (
            {"appendonly": "yes", "appendfsync": "no"},
            "warn",
            "appendfsync is no: a power cut loses about half a minute",
        ),
        ({"appendonly": "no", "save": "3600 1"}, "warn", "snapshots only (save 3600 1): a crash loses"),
        ({"appendonly": "no", "save": ""}, "warn", "neither append-only file nor snapshots"),
    ],
)
def test_persistence(
    redis_server: RedisServer, client: redis.Redis, settings: dict[str, str], level: str, found: str
) -> None:
    for name, value in settings.items():
        client.config_set(name, value)
    finding = look(redis_server.url())["redis-persistence"]
    assert finding.level == level
    assert finding.found.startswith(found)


def test_what_a_user_may_not_ask_for_is_said(redis_server: RedisServer, client: redis.Redis) -> None:
    client.config_set("appendonly", "no")
    rights = ["+@all", "-config", "-info"]
    client.acl_setuser("app", enabled=True, passwords=[f"+{PASSWORD}"], keys=["*"], commands=rights)
    dsn = f"redis://app:{ENCODED}@127.0.0.1:{redis_server.port}"
    found = look(dsn)
    assert "redis-persistence" not in found
    assert found["redis-info"].level == "warn"
    assert found["redis-info"].change == "ACL SETUSER app +info"
    client.acl_setuser("app", enabled=True, passwords=[f"+{PASSWORD}"], keys=["*"], commands=["+@all", "-config"])
    found = look(dsn)
    assert "redis-info" not in found
    assert "whether there are snapshots cannot be seen (config|get is refused)" in found["redis-persistence"].found


def test_an_append_only_file_that_cannot_be_written() -> None:
    server = Cramped()
    try:
        server.start()
        server.allow(64)
        with server.client() as client:
            client.set("a", "x" * 1000)
        server.wait_for("aof_last_write_status", "err")
        broken = look(server.url())["redis-persistence"]
        server.allow(None)
        server.wait_for("aof_last_write_status", "ok")
        mended = look(server.url())["redis-persistence"]
    finally:
        server.destroy()
    assert broken.level == "fail"
    assert broken.found.startswith("the append-only file cannot be written: Redis refuses messages")
    assert mended.level == "ok"


def test_an_append_only_file_that_cannot_be_rewritten() -> None:
    server = Cramped()
    try:
        server.start()
        with server.client() as client:
            client.set("a", os.urandom(100_000))
            server.allow(50_000)
            client.bgrewriteaof()
            server.wait_for("aof_last_bgrewrite_status", "err")
        finding = look(server.url())["redis-persistence"]
    finally:
        server.destroy()
    assert finding.level == "warn"
    assert finding.found.startswith("the append-only file could not be rewritten")


def test_a_snapshot_that_cannot_be_written() -> None:
    server = WithoutDirectory()
    try:
        server.start()
        with server.client() as client:
            client.config_set("appendonly", "no")
            client.config_set("save", "3600 1")
            server.lose_directory()
            client.bgsave()
            wait_until(lambda: client.info()["rdb_last_bgsave_status"] == "err", LONG, "the snapshot was written")
            finding = look(server.url())["redis-persistence"]
            client.config_set("save", "")  # else it would not end without one
    finally:
        server.destroy()
    assert finding.level == "fail"
    assert finding.found.startswith("the last snapshot could not be written: Redis refuses messages")


# --- streams and groups ---------------------------------------------------------------------------------------------


def test_a_second_group(redis_server: RedisServer, client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    client.xgroup_create("s", "symfony", mkstream=True)
    client.xgroup_create("s", "other")
    assert look(redis_server.url("/s"))["redis-groups"].level == "ok"
    client.xadd("s", {"message": "{}"})
    finding = look(redis_server.url("/s"))["redis-groups"]
    assert finding.level == "warn"
    assert "group 'other' has messages, and nobody has read for an hour" in finding.found
    client.xreadgroup("other", "worker", {"s": ">"}, count=1)
    assert look(redis_server.url("/s"))["redis-groups"].level == "ok"
    monkeypatch.setattr(redis_groups, "_RECENT_MS", 0)  # as if that had been long ago
    assert look(redis_server.url("/s"))["redis-groups"].level == "warn"


def test_no_group_where_nobody_may_make_it(redis_server: RedisServer, client: redis.Redis) -> None:
    found = look(redis_server.url("/s?auto_setup=false"))["redis-groups"]
    assert said(found) == (
        "fail",
        "there is no group 'symfony', and auto_setup is off",
        "messenger setup-transports",
    )
    assert look(redis_server.url("/s"))["redis-groups"].level == "ok"


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ("delete_after_ack=false", "handled messages stay in the stream for ever"),
        ("delete_after_reject=false", "rejected messages stay in the stream for ever"),
    ],
)
def test_messages_that_stay(redis_server: RedisServer, client: redis.Redis, options: str, found: str) -> None:
    finding = look(redis_server.url(f"/s?{options}"))["redis-groups"]
    assert (finding.level, finding.found) == ("warn", found)
    assert finding.change


def test_a_php_worker_that_renews_no_lease(redis_server: RedisServer, client: redis.Redis) -> None:
    client.xgroup_create("s", "symfony", mkstream=True)
    client.xadd("s", {"message": "{}"})
    client.xreadgroup("symfony", "php", {"s": ">"})
    finding = look(redis_server.url("/s"))["redis-groups"]
    assert finding.level == "warn"
    assert "consumers that are not ours, such as 'php', may renew no leases" in finding.found
    assert str(finding.change).startswith("redeliver_timeout=3600 on both sides")
    assert look(redis_server.url("/s?redeliver_timeout=3600"))["redis-groups"].level == "ok"
    client.xgroup_delconsumer("s", "symfony", "php")
    client.xgroup_createconsumer("s", "symfony", "host-12-0a1b2c")
    assert look(redis_server.url("/s"))["redis-groups"].level == "ok"
