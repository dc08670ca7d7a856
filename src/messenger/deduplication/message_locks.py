"""The lock of a message: its DeduplicateStamp says of which key and for how long, its message id is the owner."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

from messenger.concurrency.pool import Pool
from messenger.deduplication.lock_store import LockStore
from messenger.deduplication.stamps import DeduplicateStamp
from messenger.envelope import AnyEnvelope
from messenger.errors import MessengerError, TransportError, TransportUnavailable
from messenger.printable import printable
from messenger.stamps import MessageIdsStamp

log = logging.getLogger(__name__)
T = TypeVar("T")


class Lock(NamedTuple):
    """A lock of a message.

    Attributes:
        ttl: Seconds until it expires.
    """

    key: str
    owner: str
    ttl: float


def lock_of(envelope: AnyEnvelope) -> Lock | None:
    """The lock that belongs to a message; None without a DeduplicateStamp, or without an id that could own it.

    Its owner travels in the stamp, so that the lock is found whatever became of the message's ids.
    """
    stamp = envelope.last(DeduplicateStamp)
    if stamp is None:
        return None
    ids = envelope.last(MessageIdsStamp)
    if isinstance(stamp.owner, str):
        return Lock(stamp.key, stamp.owner, stamp.ttl)
    return Lock(stamp.key, ids.message_id, stamp.ttl) if ids is not None else None


class MessageLocks:
    """Takes, renews and frees the locks of messages with a DeduplicateStamp; for other messages it does nothing."""

    def __init__(self, open_store: Callable[[], LockStore]) -> None:
        """Create it.

        Args:
            open_store: Opens a store; called when one is needed and all others are in use.
        """
        self._stores = Pool(open_store, lambda store: store.close())
        self._has_warned = False

    def take(self, envelope: AnyEnvelope, delay: float = 0.0) -> str | None:
        """Take the lock of a message.

        Args:
            envelope: The message.
            delay: Seconds until the message is handled; the lock is kept for that much longer.

        Returns:
            None when the lock is this message's; else the id of the message that has it.

        Raises:
            TransportUnavailable: The store of the locks cannot be reached.
            TransportError: The store refused.
            ConfigError: There is no control plane.
        """
        lock = lock_of(envelope)
        if lock is None:
            return None
        try:
            holder = self._ask(lambda store: store.take(lock.key, lock.owner, lock.ttl + delay))
        except TransportError as error:
            kind = TransportUnavailable if isinstance(error, TransportUnavailable) else TransportError
            raise kind(
                f"the message is neither sent nor handled, because it cannot be told whether it is a duplicate: {error}"
            ) from error
        return None if holder == lock.owner else holder

    def renew(self, envelope: AnyEnvelope, delay: float = 0.0) -> None:
        """Keep the lock for its ttl from now on, if it is still this message's. Never raises.

        Args:
            envelope: The message.
            delay: Seconds until the message is handled; the lock is kept for that much longer.
        """
        lock = lock_of(envelope)
        if lock is not None:
            self._try("renewed", lock, lambda store: store.renew(lock.key, lock.owner, lock.ttl + delay))

    def release(self, envelope: AnyEnvelope) -> None:
        """Free the lock, if it is still this message's. Never raises: what cannot be freed expires."""
        self.releaser(envelope)()

    def releaser(self, envelope: AnyEnvelope) -> Callable[[], None]:
        """What does that later. It holds nothing of the envelope."""
        return partial(self._release, lock_of(envelope))

    def close(self) -> None:
        """Let go of connections."""
        self._stores.close()

    def _ask(self, step: Callable[[LockStore], T]) -> T:
        """A store is for one thread at a time; a worker's heartbeat renews beside the handler."""
        store = self._stores.take()
        try:
            return step(store)
        finally:
            self._stores.give_back(store)

    def _release(self, lock: Lock | None) -> None:
        if lock is not None:
            self._try("released", lock, lambda store: store.release(lock.key, lock.owner))

    def _try(self, what: str, lock: Lock, step: Callable[[LockStore], None]) -> None:
        try:
            self._ask(step)
        except MessengerError as error:
            if what == "released" or not self._has_warned:  # a renewal is tried again and again
                log.warning(
                    "lock_not_%s key=%r message_id=%s: it expires by itself: %s",
                    what,
                    lock.key,
                    printable(lock.owner),
                    error,
                )
            self._has_warned = True
        else:
            self._has_warned = False
