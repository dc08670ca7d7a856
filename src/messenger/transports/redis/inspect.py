"""Looking into a Redis transport without taking anything: counts, lists, single messages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec

from messenger.envelope import AnyEnvelope
from messenger.redis.connection import RedisConnection
from messenger.redis.options import RedisOptions
from messenger.stamps import LocalStamp, TransportMessageIdStamp
from messenger.transports.base import Depth, InFlight
from messenger.transports.redis.groups import is_for_another, read_groups
from messenger.wire.serializer import Serializer

_PAGE = 500
_LONGEST_SECONDS = 1e11
_ENTRY_ID = re.compile(r"\d+-\d+")
_PLAIN_ID = re.compile(r"[A-Za-z0-9._-]+")  # the same in JSON of every client
_UNREADABLE = "unreadable"


class DelayedMemberStamp(LocalStamp, frozen=True):
    """The sorted-set member a delayed message was read from; removing it needs the exact bytes."""

    member: bytes


class RedisInspector:
    """Reads streams and sorted sets of one transport."""

    def __init__(self, connection: RedisConnection, options: RedisOptions, serializer: Serializer) -> None:
        self._connection = connection
        self._options = options
        self._serializer = serializer
        self._stream = options.stream
        self._queue = options.queue

    def depth(self) -> Depth:
        """Counts of what is ready, in flight and delayed. `lag` is not trusted: it is nil or wrong after deletions."""
        first_due = ("ZRANGE", self._queue, 0, 0, "WITHSCORES")
        length, delayed, first, time = self._connection.pipeline(
            [("XLEN", self._stream), ("ZCARD", self._queue), first_due, ("TIME",)]
        )
        next_due = _bounded(float(first[1]) / 1000 - _seconds(time)) if first else None
        groups = read_groups(self._connection, self._stream)
        group = self._own(groups)
        if group is None:
            return Depth(length, 0, delayed, self._age("-", time), next_due)
        last_read = group["last-delivered-id"].decode()
        in_flight = self._connection.call("XPENDING", self._stream, self._options.group)[0]
        if self._options.delete_after_ack and len(groups) == 1:  # the other side is the shorter one
            ready = length - sum(1 for _ in self._pages("-", last_read))
        else:
            ready = sum(1 for _ in self._own_entries(f"({last_read}", "+"))
        oldest = self._age(f"({last_read}", time) if ready else None
        return Depth(ready, in_flight, delayed, oldest, next_due)

    def in_flight(self) -> list[InFlight]:
        """Who holds messages, from the group's pending list."""
        held: dict[str, InFlight] = {}
        for _, consumer, idle, _ in self._pending():
            name = consumer.decode(errors="replace")
            known = held.get(name, InFlight(name, 0, 0.0))
            held[name] = InFlight(name, known.count + 1, max(known.idle_seconds, idle / 1000))
        return sorted(held.values(), key=lambda one: -one.idle_seconds)

    def _pending(self) -> Iterator[tuple[bytes, bytes, int, int]]:
        start = "-"
        while self._own(read_groups(self._connection, self._stream)) is not None:
            page = self._connection.call("XPENDING", self._stream, self._options.group, start, "+", _PAGE)
            yield from page
            if len(page) < _PAGE:
                return
            start = f"({page[-1][0].decode()}"

    def all(self, limit: int) -> list[AnyEnvelope]:
        """Up to `limit` messages, oldest first; then the delayed ones, next due first.

        Not what this group has handled and others have not.
        """
        return list(islice(self._all(), limit))

    def _all(self) -> Iterator[AnyEnvelope]:
        group = self._own(read_groups(self._connection, self._stream))
        last_read = group["last-delivered-id"].decode() if group is not None else "0-0"
        held = {entry_id for entry_id, *_ in self._pending()}
        for entry_id, fields in self._own_entries("-", last_read):
            if entry_id in held:
                yield self._from_entry(entry_id, fields)
        for entry_id, fields in self._own_entries(f"({last_read}", "+"):
            yield self._from_entry(entry_id, fields)
        for member in self._delayed():
            yield self._from_member(member)

    def find(self, message_id: str) -> AnyEnvelope | None:
        """The message with this entry id, or the delayed one with this uniqid."""
        if _ENTRY_ID.fullmatch(message_id):
            entries = [entry for entry in self._own_entries(message_id, message_id) if not self._is_handled(message_id)]
            return self._from_entry(*entries[0]) if entries else None
        written = message_id.encode() if _PLAIN_ID.fullmatch(message_id) and message_id != _UNREADABLE else b""
        for member in self._delayed():
            if written in member and _uniqid(member) == message_id:  # most are not even read as JSON
                return self._from_member(member)
        return None

    def _own(self, groups: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
        return next((group for group in groups if group["name"] == self._options.group.encode()), None)

    def _is_handled(self, entry_id: str) -> bool:
        group = self._own(read_groups(self._connection, self._stream))
        if group is None or _numbers(group["last-delivered-id"].decode()) < _numbers(entry_id):
            return False
        return not self._connection.call("XPENDING", self._stream, self._options.group, entry_id, entry_id, 1)

    def _own_entries(self, start: str, end: str) -> Iterator[tuple[bytes, list[bytes] | None]]:
        for entry_id, fields in self._pages(start, end):
            if not is_for_another(entry_value(fields), self._options):
                yield entry_id, fields

    def _age(self, start: str, time: list[bytes]) -> float | None:
        first = self._connection.call("XRANGE", self._stream, start, "+", "COUNT", 1)
        if not first:
            return None
        return max(0.0, _seconds(time) - int(first[0][0].split(b"-")[0]) / 1000)

    def _pages(self, start: str, end: str) -> Iterator[tuple[bytes, list[bytes] | None]]:
        while True:
            page = self._connection.call("XRANGE", self._stream, start, end, "COUNT", _PAGE)
            yield from ((entry[0], entry[1]) for entry in page)
            if len(page) < _PAGE:
                return
            start = f"({page[-1][0].decode()}"

    def _delayed(self) -> Iterator[bytes]:
        start = 0
        while True:
            page = self._connection.call("ZRANGE", self._queue, start, start + _PAGE - 1)
            yield from page
            if len(page) < _PAGE:
                return
            start += _PAGE

    def _from_entry(self, entry_id: bytes, fields: list[bytes] | None) -> AnyEnvelope:
        stamp = TransportMessageIdStamp(entry_id.decode())
        return self._serializer.decode_stored(entry_value(fields)).with_stamps(stamp)

    def _from_member(self, member: bytes) -> AnyEnvelope:
        stamps = (TransportMessageIdStamp(_uniqid(member)), DelayedMemberStamp(member))
        return self._serializer.decode_stored(member).with_stamps(*stamps)


def _numbers(entry_id: str) -> tuple[int, int]:
    """A stream id as the pair of numbers that it is ordered by."""
    milliseconds, _, sequence = entry_id.partition("-")
    return int(milliseconds), int(sequence)


def _bounded(seconds: float) -> float:
    """A number that JSON can carry: a score may be infinite."""
    return max(-_LONGEST_SECONDS, min(seconds, _LONGEST_SECONDS))


def _seconds(time: list[bytes]) -> float:
    """The reply to TIME as seconds since 1970."""
    return int(time[0]) + int(time[1]) / 1e6


def entry_value(fields: list[bytes] | None) -> bytes:
    """The field `message` of a stream entry; for a foreign entry all its fields as JSON, so that nothing is lost."""
    pairs = dict(zip((fields or [])[::2], (fields or [])[1::2], strict=False))
    value = pairs.get(b"message")
    if value is not None:
        return value
    return msgspec.json.encode({k.decode("latin-1"): v.decode("latin-1") for k, v in pairs.items()})


def _uniqid(member: bytes) -> str:
    try:
        document = msgspec.json.decode(member)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _UNREADABLE
    found = document.get("uniqid") if isinstance(document, dict) else None
    return found if isinstance(found, str) and found.isprintable() and 0 < len(found) <= 200 else _UNREADABLE
