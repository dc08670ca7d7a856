"""Persistence of Redis: it is on, and the last write to disk succeeded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from messenger.checks.finding import Finding, Place
from messenger.redis.connection import RedisConnection, RedisReplyError

_ON = "appendonly yes and appendfsync everysec in redis.conf; now: CONFIG SET appendonly yes"
_DISK = "free space on the disk of Redis, and look at its log"


def check_persistence(connection: RedisConnection, where: str, facts: Mapping[str, str]) -> Iterator[Finding]:
    """facts: INFO as a map."""
    place = Place("redis-persistence", where)
    save = _setting(connection, "save")
    if facts.get("aof_enabled") == "1":
        yield from _check_append_only_file(place, facts, _setting(connection, "appendfsync"))
    else:
        yield _check_snapshots(place, save)
    if save != "" and facts.get("rdb_last_bgsave_status", "ok") != "ok":
        yield place.fail("the last snapshot could not be written: Redis refuses messages until one can", _DISK)


def _check_append_only_file(place: Place, facts: Mapping[str, str], sync: str | None) -> Iterator[Finding]:
    well = True
    if facts.get("aof_last_write_status", "ok") != "ok":
        yield place.fail("the append-only file cannot be written: Redis refuses messages until it can", _DISK)
        well = False
    if facts.get("aof_last_bgrewrite_status", "ok") != "ok":
        yield place.warn("the append-only file could not be rewritten the last time and goes on growing", _DISK)
        well = False
    if sync == "no":
        yield place.warn("appendfsync is no: a power cut loses about half a minute of messages", "appendfsync everysec")
        well = False
    if well:
        yield place.ok(f"append-only file is on (appendfsync {sync or 'unknown'}) and was written")


def _check_snapshots(place: Place, save: str | None) -> Finding:
    if save == "":
        return place.warn("neither append-only file nor snapshots: a restart of Redis loses every message", _ON)
    if save is None:
        return place.warn(
            "no append-only file; whether there are snapshots cannot be seen (config|get is refused)", _ON
        )
    return place.warn(f"snapshots only (save {save}): a crash loses what came after the last one", _ON)


def _setting(connection: RedisConnection, name: str) -> str | None:
    """A setting of the server; None when this user may not ask, or a hosted Redis has no CONFIG."""
    try:
        reply = connection.call("CONFIG", "GET", name)
    except RedisReplyError:
        return None
    return str(reply[1].decode(errors="replace")) if len(reply) == 2 else None
