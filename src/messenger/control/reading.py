"""Reads the keys of the control plane, no more of each than a bound, and collects what is unreadable in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeVar

from messenger.control.values import (
    AHEAD_MS,
    LONGEST,
    MOST,
    Pause,
    Reply,
    Unreadable,
    WorkerInfo,
    decode,
    decode_counter,
    decode_name,
    decode_pause,
    decode_worker,
    shown,
)
from messenger.redis.connection import RedisConnection
from messenger.redis.scripts import Script

T = TypeVar("T")
TTL_MS = 15_000
_AT_ONCE = 100  # values that are read in one round trip
_MOST_PROBLEMS = 100


class Problem(NamedTuple):
    """An unreadable value in the control plane.

    Attributes:
        key: The key without the application's name.
        name: Name of the field or worker; its length when it is too long; None for the whole key.
    """

    key: str
    name: bytes | int | None
    why: str

    def __str__(self) -> str:
        return f"{self.key}{'' if self.name is None else f' {shown(self.name)!r}'}: {self.why}"


@cache
def control_script(name: str, prelude: str | None = None) -> Script:
    """Return a script of this package."""
    return Script(name, __package__, prelude=prelude)


class ControlReader:
    """Reads what workers and operators have written. Every method raises TransportError.

    Attributes:
        problems: Unreadable values found so far, each place once.
    """

    def __init__(self, connection: RedisConnection, prefix: str) -> None:
        """Create a reader.

        Args:
            connection: The connection to Redis.
            prefix: Prefix of the keys.
        """
        self.problems: dict[tuple[str, bytes | int | None], Problem] = {}
        self._connection = connection
        self._prefix = prefix
        self._fields = control_script("read_fields")
        self._texts = control_script("read_texts")
        self._registry = control_script("read_registry")

    def directives(self, fields: Sequence[str]) -> tuple[dict[str, int], dict[str, Pause]]:
        """Return the stop counters and the pauses of these scopes; of all that there are without any."""
        keys = [f"{self._prefix}:stop", f"{self._prefix}:paused"]
        now, counters, pauses = self._fields.run(self._connection, keys, (LONGEST, MOST, *fields))
        return (
            self._decoded("stop", fields, counters, lambda raw: decode_counter(raw, now)),
            self._decoded("paused", fields, pauses, lambda raw: decode_pause(raw, now)),
        )

    def workers(self, *, sweep: bool) -> Iterator[WorkerInfo]:
        """Yield the live workers. sweep: remove what is too old, or no worker has written, from the registry."""
        limits = (TTL_MS, AHEAD_MS, MOST, LONGEST, int(sweep))
        now, count, found, forged = self._registry.run(self._connection, (f"{self._prefix}:workers",), limits)
        if count < 0:
            self.note("workers", None, "it is no sorted set")
        if count > MOST:
            self.note("workers", None, f"it has {count} entries, and {MOST} are looked at")
        for worker_id in forged:
            self.note("workers", worker_id, "no worker has such an id, or was seen in the future")
        if sweep:
            self.delete_values([worker_id for worker_id in forged if isinstance(worker_id, bytes)])
        for begin in range(0, len(found), 2 * _AT_ONCE):
            yield from self._page(found[begin : begin + 2 * _AT_ONCE], now)

    def _page(self, entries: Sequence[bytes], now: int) -> Iterator[WorkerInfo]:
        ids = entries[::2]
        values = self._texts.run(self._connection, [self.worker_key(worker_id) for worker_id in ids], (LONGEST,))
        for worker_id, seen, raw in zip(ids, entries[1::2], values, strict=True):
            try:
                if raw is not None:  # else it has just left
                    yield decode_worker(worker_id, raw, float(seen), now)
            except Unreadable as why:
                self.note("worker", worker_id, str(why))

    def reply(self, token: str) -> Reply | None:
        """Return the reply to this token, if it is there."""
        raw = self._texts.run(self._connection, (f"{self._prefix}:reply:{token}",), (LONGEST,))[0]
        try:
            return decode(Reply, raw) if raw is not None else None
        except Unreadable as why:
            self.note("reply", token.encode(), str(why))
            return None

    def worker_key(self, worker_id: bytes) -> bytes:
        """Return the key of what a worker says of itself."""
        return f"{self._prefix}:worker:".encode() + worker_id

    def delete_values(self, worker_ids: Sequence[bytes]) -> None:
        """Remove what these workers say of themselves."""
        if worker_ids:
            self._connection.call("DEL", *map(self.worker_key, worker_ids))

    def _decoded(self, key: str, fields: Sequence[str], found: Any, read: Callable[[bytes], T]) -> dict[str, T]:
        """Return the values of a hash that can be read, by field. found: without fields the names are in it, too."""
        if isinstance(found, int):
            self.note(key, None, "it is no hash" if found < 0 else f"it has {found} fields, and {MOST} are allowed")
            return {}
        names = [field.encode() for field in fields] or found[::2]
        values = found if fields else found[1::2]
        read_values: dict[str, T] = {}
        for name, raw in zip(names, values, strict=True):
            try:
                if raw is not None:
                    read_values[decode_name(name)] = read(raw)
            except Unreadable as why:
                self.note(key, name, str(why))
        return read_values

    def note(self, key: str, name: bytes | int | None, why: str) -> None:
        """Keep that something is unreadable. key, name, why: see Problem."""
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.setdefault((key, name), Problem(f"{self._prefix}:{key}", name, why))
