"""A stream with a maximum: senders wait or are refused when it is full, and nothing unhandled is ever dropped (R10)."""

from __future__ import annotations

import time

from messenger.errors import TransportFull
from messenger.transports.redis.link import RedisLink
from messenger.transports.redis.options import RedisOptions
from messenger.transports.redis.scripts import Script

_TRIM_EVERY = 100
_SHORTEST_PAUSE = 0.02  # seconds
_LONGEST_PAUSE = 0.25


class BoundedStream:
    """Adds to a stream while it has fewer entries than `stream_max_entries`.

    name: the transport's.
    """

    def __init__(self, name: str, link: RedisLink, options: RedisOptions) -> None:
        self._name = name
        self._link = link
        self._options = options
        self._handled = 0
        self._script = Script("bound", prelude="groups")

    def add(self, payload: bytes) -> str:
        """The id of the new entry. With `stream_full=block` waits for room, `stream_full_timeout` seconds at most.

        Raises TransportFull.
        """
        deadline = time.monotonic() + self._options.stream_full_timeout
        pause = _SHORTEST_PAUSE
        while True:
            entry_id: bytes | None = self._bound(payload)
            if entry_id is not None:
                return entry_id.decode()
            left = deadline - time.monotonic()
            if self._options.stream_full == "refuse" or left <= 0:
                raise self._full()
            time.sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST_PAUSE)

    def acknowledged(self) -> None:
        """A message was handled: where handled ones are kept, now and then remove the oldest above the maximum."""
        self._handled += 1
        if not self._options.delete_after_ack and self._handled % _TRIM_EVERY == 0:
            self._bound()

    def _bound(self, *payload: bytes) -> bytes | None:
        found: bytes | None = self._script.run(
            self._link, (self._options.stream,), (self._options.stream_max_entries, *payload)
        )
        return found

    def _full(self) -> TransportFull:
        blocked = self._options.stream_full == "block"
        waited = f", still after {self._options.stream_full_timeout:g} s" if blocked else ""
        return TransportFull(
            f"transport {self._name!r} is full{waited}: stream {self._options.stream!r} holds "
            f"{self._options.stream_max_entries:,} messages that are not handled yet (stream_max_entries); nothing was "
            "sent: try again later, start more workers, or raise stream_max_entries"
        )
