"""The in-memory transport: a full transport inside one process, for tests."""

from __future__ import annotations

import itertools
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from messenger.config.dsn import parse_dsn, read_options
from messenger.envelope import AnyEnvelope, Envelope
from messenger.errors import ConfigError, TransportError
from messenger.stamps import (
    DelayStamp,
    DeliveryStamp,
    ForeignHeadersStamp,
    LocalStamp,
    SerializedMessageStamp,
    TransportMessageIdStamp,
)
from messenger.transports.base import Depth, Transport, TransportContext
from messenger.wire.encoded import Encoded
from messenger.wire.extension_headers import ReplyStamp
from messenger.wire.serializer import Serializer

log = logging.getLogger("messenger.transports.memory")

_DEFAULTS: dict[str, Any] = {"serialize": False, "redeliver_timeout": 60.0}
_WAKE_SECONDS = 0.02
# These stamps stay in the process, but the serializer carries what they say.
_TRAVELLING = (ForeignHeadersStamp, ReplyStamp, SerializedMessageStamp)


def create(name: str, dsn: str, options: Mapping[str, Any], context: TransportContext) -> Transport:
    """Create a transport for ``in-memory://[?serialize=true]``.

    Raises:
        ConfigError: An option is unknown.
    """
    parsed = parse_dsn(name, dsn)
    if parsed.scheme != "in-memory" or parsed.host or parsed.path.strip("/"):
        raise ConfigError(f"transports.{name}.dsn: allowed: in-memory:// or in-memory://?serialize=true")
    values = read_options(name, _DEFAULTS, options, parsed.query)
    if not 0 < values["redeliver_timeout"] < math.inf:
        raise ConfigError(f"transports.{name}: option redeliver_timeout; allowed: seconds, more than 0")
    serializer = context.serializer if values["serialize"] else None
    return MemoryTransport(name, serializer, redeliver_timeout=values["redeliver_timeout"])


class MemoryLeaseStamp(LocalStamp, frozen=True):
    """Which hand-out of the message this is. A message that was only looked at has none."""

    number: int


@dataclass(slots=True)
class _Entry:
    stored: AnyEnvelope | Encoded
    available_at: float
    delivered_at: float | None = None
    lease: int | None = None
    deliveries: int = 0


class MemoryTransport:
    """Keeps messages in a list, and records what happened to them. Thread-safe.

    Attributes:
        name: Name of the transport.
        sent: Envelopes in the order they were sent; a requeued one counts as sent again.
        acked: Envelopes in the order they were acknowledged.
        rejected: Envelopes in the order they were rejected.
    """

    joins_transaction = True  # of a test: there is none to join

    def __init__(
        self,
        name: str,
        serializer: Serializer | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        redeliver_timeout: float = 60.0,
    ) -> None:
        """Create a transport.

        Args:
            name: Name of the transport.
            serializer: Writes and reads the messages as on a real transport, so that one that cannot be written is
                found.
            clock: Returns the time in seconds; a test may pass one that it moves.
            redeliver_timeout: Seconds without a renewal after which a message may be taken over.
        """
        self.name = name
        self.sent: list[AnyEnvelope] = []
        self.acked: list[AnyEnvelope] = []
        self.rejected: list[AnyEnvelope] = []
        self._serializer = serializer
        self._clock = clock
        self._redeliver_timeout = redeliver_timeout
        self._entries: dict[int, _Entry] = {}
        self._ids = itertools.count(1)
        self._leases = itertools.count(1)
        self._changed = threading.Condition(threading.RLock())

    def reset(self) -> None:
        """Forget every message and everything that happened."""
        with self._changed:
            for happened in (self._entries, self.sent, self.acked, self.rejected):
                happened.clear()
            self._ids = itertools.count(1)

    def setup(self) -> None:
        """Nothing to do."""

    def send(self, envelope: AnyEnvelope) -> AnyEnvelope:
        """Store a message.

        Raises:
            MessageEncodingFailed: The transport serializes, and the message cannot be written.
        """
        stored = self._encode(envelope)
        with self._changed:
            message_id = next(self._ids)
            self._entries[message_id] = _Entry(stored, self._clock() + _delay_seconds(envelope))
            sent = envelope.with_stamps(TransportMessageIdStamp(str(message_id)))
            self.sent.append(sent)
            self._changed.notify_all()
        return sent

    def get(self, wait: float, stop: Callable[[], bool], limit: int = 1) -> Sequence[AnyEnvelope]:
        """Take the oldest messages that are due and free. `wait` is real time, whatever the clock says."""
        deadline = time.monotonic() + wait
        with self._changed:
            while not stop():
                taken = self._take(limit)
                if taken:
                    return taken
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(min(left, _WAKE_SECONDS))
        return []

    def ack(self, envelope: AnyEnvelope) -> None:
        """Remove a message that was handled, even if another receiver has taken it over."""
        with self._changed:
            self.acked.append(envelope)
            if self._entries.pop(self._id(envelope), None) is None:
                log.warning("already_gone transport=%s id=%d: somebody else settled it", self.name, self._id(envelope))

    def reject(self, envelope: AnyEnvelope) -> None:
        """Remove a message, unless its lease was lost and another receiver has it."""
        with self._changed:
            if self._held(envelope) is not None:
                del self._entries[self._id(envelope)]
                self.rejected.append(envelope)

    def requeue(self, received: AnyEnvelope, updated: AnyEnvelope) -> None:
        """Put `updated` in place of `received`, unless the lease was lost."""
        stored = self._encode(updated)
        with self._changed:
            entry = self._held(received)
            if entry is not None:
                entry.stored = stored
                entry.available_at = self._clock() + _delay_seconds(updated)
                entry.delivered_at, entry.lease, entry.deliveries = None, None, 0
                self.sent.append(updated)
                self._changed.notify_all()

    def keepalive(self, envelope: AnyEnvelope) -> None:
        """Move the lease forward."""
        with self._changed:
            entry = self._held(envelope)
            if entry is not None and entry.delivered_at is not None:
                entry.delivered_at = self._clock()

    @property
    def keepalive_interval(self) -> float:
        """A quarter of the lease."""
        return self._redeliver_timeout / 4

    def hand_back(self, envelope: AnyEnvelope, *, begun: bool = False) -> None:
        """End the lease now; unless it was begun as if the message had not been taken."""
        with self._changed:
            entry = self._held(envelope)
            if entry is not None:
                entry.delivered_at, entry.lease = None, None
                entry.deliveries -= 0 if begun else 1
                self._changed.notify_all()

    def depth(self) -> Depth:
        """Counts of what is ready, in flight and delayed."""
        with self._changed:
            now = self._clock()
            free = [entry for entry in self._entries.values() if self._is_free(entry, now)]
            ready = [entry.available_at for entry in free if entry.available_at <= now]
            oldest = max(0.0, now - min(ready)) if ready else None
            due = min((entry.available_at for entry in free if entry.available_at > now), default=None)
            next_due = None if due is None else due - now
            return Depth(len(ready), len(self._entries) - len(free), len(free) - len(ready), oldest, next_due)

    def all(self, limit: int) -> Sequence[AnyEnvelope]:
        """Up to `limit` messages in the order they were first sent, the delayed and the taken ones too."""
        with self._changed:
            first = itertools.islice(self._entries.items(), limit)
            return [self._envelope(message_id, entry) for message_id, entry in first]

    def find(self, message_id: str) -> AnyEnvelope | None:
        """Return the message with this id without taking it: reject and requeue work whoever has it."""
        with self._changed:
            entry = self._entries.get(int(message_id)) if message_id.isdecimal() else None
            return None if entry is None else self._envelope(int(message_id), entry)

    def close(self) -> None:
        """Nothing to do; the messages stay."""

    def _take(self, limit: int) -> list[AnyEnvelope]:
        now = self._clock()
        due = [
            (entry.available_at, message_id)
            for message_id, entry in self._entries.items()
            if entry.available_at <= now and self._is_free(entry, now)
        ]
        return [self._hand_out(message_id, now) for _, message_id in sorted(due)[:limit]]

    def _hand_out(self, message_id: int, now: float) -> AnyEnvelope:
        entry = self._entries[message_id]
        entry.delivered_at, entry.lease = now, next(self._leases)
        entry.deliveries += 1
        stamps = (DeliveryStamp(entry.deliveries), MemoryLeaseStamp(entry.lease))
        return self._envelope(message_id, entry).with_stamps(*stamps)

    def _is_free(self, entry: _Entry, now: float) -> bool:
        return entry.delivered_at is None or entry.delivered_at < now - self._redeliver_timeout

    def _held(self, envelope: AnyEnvelope) -> _Entry | None:
        """Return the entry of an envelope; None when it is gone, or another receiver has taken it."""
        entry = self._entries.get(self._id(envelope))
        lease = envelope.last(MemoryLeaseStamp)
        if entry is None or (lease is not None and lease.number != entry.lease):
            log.warning("lease_lost transport=%s id=%d: gone or taken over", self.name, self._id(envelope))
            return None
        return entry

    def _id(self, envelope: AnyEnvelope) -> int:
        stamp = envelope.last(TransportMessageIdStamp)
        if stamp is None or not stamp.id.isdecimal():
            raise TransportError(f"{self.name}: this envelope did not come from here: it has no id of this transport")
        return int(stamp.id)

    def _encode(self, envelope: AnyEnvelope) -> AnyEnvelope | Encoded:
        """What is kept; without a serializer the envelope, less what would not have survived one."""
        if self._serializer is not None:
            return self._serializer.encode(envelope)
        kept = (s for s in envelope.stamps if not isinstance(s, LocalStamp) or isinstance(s, _TRAVELLING))
        return Envelope(envelope.message, kept)

    def _envelope(self, message_id: int, entry: _Entry) -> AnyEnvelope:
        stored = entry.stored
        if isinstance(stored, Encoded):
            assert self._serializer is not None
            stored = self._serializer.decode(stored)
        return stored.with_stamps(TransportMessageIdStamp(str(message_id)))


def _delay_seconds(envelope: AnyEnvelope) -> float:
    stamp = envelope.last(DelayStamp)
    return 0.0 if stamp is None else max(0, stamp.delay) / 1000
