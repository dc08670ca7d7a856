"""Types of the stream and of its delayed messages, and room for more messages."""

from __future__ import annotations

from collections.abc import Iterator

from messenger.checks.finding import Finding, Place
from messenger.redis.connection import RedisConnection, RedisReplyError
from messenger.redis.options import RedisOptions

_LARGEST = b"18446744073709551615-18446744073709551615"
_DAY_MS = 86_400_000
_YEARS_MS = 3650 * _DAY_MS


def check_stream(connection: RedisConnection, where: str, options: RedisOptions) -> Iterator[Finding]:
    """Read XINFO STREAM and the last delayed message. where: names the transport."""
    place = Place("redis-stream", f"{where} (stream {options.stream})")
    time, info, last_due = connection.exchange(
        [("TIME",), ("XINFO", "STREAM", options.stream), ("ZRANGE", options.queue, -1, -1, "WITHSCORES")]
    )
    for key, reply in ((options.stream, info), (options.queue, last_due)):
        if isinstance(reply, RedisReplyError) and reply.code == "WRONGTYPE":
            yield place.fail(
                f"the key {key} holds something of another type: somebody else has written it",
                f"redis-cli RENAME {key} {key}-other, or another stream in the DSN",
            )
    now = 0 if isinstance(time, RedisReplyError) else int(time[0]) * 1000
    if not isinstance(info, RedisReplyError):
        yield from _check_last_id(place, dict(zip(info[::2], info[1::2], strict=True)), options, now)
    if not isinstance(last_due, RedisReplyError) and last_due and float(last_due[1]) > now + _YEARS_MS:
        yield place.warn(
            "a delayed message is due in more than ten years: it waits for ever",
            f"redis-cli ZADD {options.queue} XX CH 0 MEMBER has a worker take it now; ZRANGE {options.queue} -1 -1 "
            "shows the MEMBER",
        )


def _check_last_id(place: Place, info: dict[bytes, bytes], options: RedisOptions, now: int) -> Iterator[Finding]:
    last = info.get(b"last-generated-id", b"0-0")
    if last == _LARGEST:
        yield place.fail(
            "somebody has added an entry with the largest possible id, so no message can be added any more; those that "
            "are there are handled",
            "once `messenger stats` shows nothing ready and in flight: messenger repair "
            "--stream TRANSPORT, which begins it again; see docs/redis-transport.md",
        )
    elif int(last.split(b"-")[0]) > now + _DAY_MS:
        yield place.warn(
            "its last entry has an id in the future, so `messenger stats` cannot tell how long messages wait",
            "the same as for the largest id: docs/redis-transport.md",
        )
