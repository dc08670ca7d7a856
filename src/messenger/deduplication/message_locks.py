"""The lock of a message: its DeduplicateStamp says of which key and for how long, its message id is the owner (R41)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from messenger.deduplication.lock_store import LockStore
from messenger.deduplication.stamps import DeduplicateStamp
from messenger.envelope import AnyEnvelope
from messenger.errors import MessengerError, TransportError, TransportUnavailable
from messenger.wire.ids import MessageIdsStamp

log = logging.getLogger(__name__)


class Lock(NamedTuple):
    """ttl: seconds."""

    key: str
    owner: str
    ttl: float


def lock_of(envelope: AnyEnvelope) -> Lock | None:
    """The lock that belongs to a message; None without a DeduplicateStamp, or without an id that could own it."""
    stamp = envelope.last(DeduplicateStamp)
    ids = envelope.last(MessageIdsStamp)
    return Lock(stamp.key, ids.message_id, stamp.ttl) if stamp is not None and ids is not None else None


class MessageLocks:
    """Takes, renews and frees the locks of messages; those of a message without one are nothing to do.

    open_store: called once in each thread that needs a store, at its first use.
    """

    def __init__(self, open_store: Callable[[], LockStore]) -> None:
        self._open_store = open_store
        self._stores: dict[int, LockStore] = {}
        self._is_quiet = False

    def take(self, envelope: AnyEnvelope, delay: float = 0.0) -> str | None:
        """Take the lock. None: it is this message's. Else the id of the message that has it.

        delay: seconds before the message is handled; the lock is kept for that much longer.
        Raises TransportError, TransportUnavailable when that cannot be known; ConfigError without a control plane.
        """
        lock = lock_of(envelope)
        if lock is None:
            return None
        try:
            holder = self._store().take(lock.key, lock.owner, lock.ttl + delay)
        except TransportError as error:
            kind = TransportUnavailable if isinstance(error, TransportUnavailable) else TransportError
            raise kind(
                f"the message is neither sent nor handled, because it cannot be told whether it is a duplicate: {error}"
            ) from error
        return None if holder == lock.owner else holder

    def renew(self, envelope: AnyEnvelope, delay: float = 0.0) -> None:
        """Keep the lock, if it is still this message's, for its ttl from now on. Never raises.

        delay: seconds before the message is handled; the lock is kept for that much longer.
        """
        lock = lock_of(envelope)
        if lock is not None:
            self._try("renewed", lock, lambda: self._store().renew(lock.key, lock.owner, lock.ttl + delay))

    def release(self, envelope: AnyEnvelope) -> None:
        """Free the lock, if it is still this message's. Never raises: what cannot be freed expires."""
        self.releaser(envelope)()

    def releaser(self, envelope: AnyEnvelope) -> Callable[[], None]:
        """What does that later. It holds nothing of the envelope."""
        return partial(self._release, lock_of(envelope))

    def close(self) -> None:
        """Let go of connections."""
        for store in self._stores.values():
            store.close()

    def _store(self) -> LockStore:
        """A connection is for one thread; a worker's beat renews beside the handler."""
        thread = threading.get_ident()
        found = self._stores.get(thread)
        if found is None:
            found = self._stores[thread] = self._open_store()
        return found

    def _release(self, lock: Lock | None) -> None:
        if lock is not None:
            self._try("released", lock, lambda: self._store().release(lock.key, lock.owner))

    def _try(self, what: str, lock: Lock, step: Callable[[], None]) -> None:
        try:
            step()
        except MessengerError as error:
            if not self._is_quiet:
                log.warning("lock_not_%s key=%r message_id=%s: it expires by itself: %s", what, *lock[:2], error)
            self._is_quiet = True
        else:
            self._is_quiet = False
