"""The groups of a stream and their consumers, against what the transport's options say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from messenger.checks.finding import Finding, Place
from messenger.redis.connection import RedisConnection, RedisReplyError
from messenger.redis.options import RedisOptions

# Our consumers are called <host>-<pid>-<6 hexadecimal digits>.
_OURS = re.compile(r".+-\d+-[0-9a-f]{6}")
_RECENT_MS = 3_600_000
_PHP_TIMEOUT = 3600


def check_groups(connection: RedisConnection, where: str, options: RedisOptions) -> Iterator[Finding]:
    """Reads XINFO GROUPS and XINFO CONSUMERS."""
    place = Place("redis-groups", f"{where} (stream {options.stream})")
    yield from _check_deleting(place, options)
    groups = _info(connection, "GROUPS", options.stream)
    names = [group["name"].decode(errors="replace") for group in groups]
    if options.group not in names and not options.auto_setup:
        yield place.fail(f"there is no group {options.group!r}, and auto_setup is off", "messenger setup-transports")
    elif options.group not in names:
        yield place.ok(f"group {options.group!r} is not there yet; the first use creates it")
    else:
        yield place.ok(f"group {options.group!r} is there")
        yield from _check_consumers(connection, place, options)
    if len({*names, options.group}) > 1:
        yield from _check_others(connection, place, options, groups)


def _check_others(
    connection: RedisConnection, place: Place, options: RedisOptions, groups: Sequence[dict[str, Any]]
) -> Iterator[Finding]:
    """Check the other groups: an entry stays until every group has handled it, forever if one is not read."""
    for group in groups:
        name = group["name"].decode(errors="replace")
        consumers = _info(connection, "CONSUMERS", options.stream, name)
        if name == options.group or any(consumer["idle"] < _RECENT_MS for consumer in consumers):
            continue
        unread = f"({group['last-delivered-id'].decode()}"
        if group["pending"] or connection.call("XRANGE", options.stream, unread, "+", "COUNT", 1):
            yield place.warn(
                f"group {name!r} has messages, and nobody has read for an hour: the stream keeps them, and grows",
                f"start its workers; if nobody needs it any more: XGROUP DESTROY {options.stream} {name}",
            )


def _check_deleting(place: Place, options: RedisOptions) -> Iterator[Finding]:
    if not options.delete_after_ack and not options.stream_max_entries:
        yield place.warn("handled messages stay in the stream for ever", "stream_max_entries, or delete_after_ack=true")
    if options.delete_after_ack and not options.delete_after_reject:
        yield place.warn("rejected messages stay in the stream for ever", "delete_after_reject=true")


def _check_consumers(connection: RedisConnection, place: Place, options: RedisOptions) -> Iterator[Finding]:
    """PHP workers renew no leases unless run with --keepalive: what they work on for long runs twice."""
    foreign = [
        name
        for consumer in _info(connection, "CONSUMERS", options.stream, options.group)
        if not _OURS.fullmatch(name := consumer["name"].decode(errors="replace"))
        and name != options.consumer
        and (consumer["pending"] or consumer["idle"] < _RECENT_MS)
    ]
    if foreign and options.redeliver_timeout < _PHP_TIMEOUT:
        yield place.warn(
            f"consumers that are not ours, such as {foreign[0]!r}, may renew no leases: a message they work on for "
            f"longer than redeliver_timeout, {options.redeliver_timeout} s, is handled twice",
            f"redeliver_timeout={_PHP_TIMEOUT} on both sides, or longer than the slowest PHP handler",
        )


def _info(connection: RedisConnection, *words: str) -> list[dict[str, Any]]:
    try:
        replies = connection.call("XINFO", *words)
    except RedisReplyError as error:
        if error.code == "NOPERM":
            raise
        return []  # no such stream or group
    return [{key.decode(): value for key, value in zip(flat[::2], flat[1::2], strict=True)} for flat in replies]
