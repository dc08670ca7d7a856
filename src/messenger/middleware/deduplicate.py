"""Sends a message with a DeduplicateStamp only while no other one with its key is on its way."""

from __future__ import annotations

import logging

import msgspec

from messenger.deduplication.message_locks import MessageLocks
from messenger.deduplication.stamps import DeduplicateStamp, DuplicateOfStamp
from messenger.envelope import AnyEnvelope
from messenger.errors import MessageIsDuplicate, NotReplicated
from messenger.messages import wire_name
from messenger.middleware.base import BuiltInMiddleware, Next
from messenger.stamps import DelayStamp, MessageIdsStamp, ReceivedStamp, SentStamp, SentToFailureTransportStamp
from messenger.transports.transactions import SqlTransactions, StoredInTransactionStamp

log = logging.getLogger(__name__)


class Deduplicate(BuiltInMiddleware):
    """Takes the lock of a dispatched message; the worker frees it (see LockKeeper).

    It comes after DispatchAfterCurrentBus: a message that waits there takes its lock when it is dispatched.
    """

    only_with = frozenset({DeduplicateStamp})

    def __init__(self, locks: MessageLocks, transactions: SqlTransactions) -> None:
        """Create the step.

        Args:
            locks: The locks.
            transactions: A message that is stored in one of them counts as never sent when it is rolled back.
        """
        self._locks = locks
        self._transactions = transactions

    def handle(self, envelope: AnyEnvelope, following: Next) -> AnyEnvelope:
        """Go on, or end the chain with a DuplicateOfStamp when another message has the lock.

        Raises:
            TransportUnavailable: The store of the locks cannot be reached.
        """
        stamp = envelope.last(DeduplicateStamp)
        if stamp is None:
            return following(envelope)
        if envelope.last(ReceivedStamp) is not None:
            self._on_received(envelope, stamp)
            return following(envelope)
        return self._dispatch(envelope, stamp, following)

    def _dispatch(self, envelope: AnyEnvelope, stamp: DeduplicateStamp, following: Next) -> AnyEnvelope:
        delay = envelope.last(DelayStamp)
        ids = envelope.last(MessageIdsStamp)
        owned = msgspec.structs.replace(stamp, owner=ids.message_id if ids is not None else msgspec.UNSET)
        envelope = envelope.without_all(DeduplicateStamp).with_stamps(owned)
        holder = self._locks.take(envelope, max(0, delay.delay) / 1000 if delay is not None else 0.0)
        if holder is not None:
            name = wire_name(type(envelope.message))
            log.info("duplicate_not_sent type=%s key=%r: message %s has its lock", name, stamp.key, holder)
            return envelope.with_stamps(DuplicateOfStamp(holder))
        try:
            result = following(envelope)
        except NotReplicated:  # it is on its way all the same
            raise
        except BaseException:
            self._locks.release(envelope)
            raise
        if not _is_elsewhere(result):
            self._locks.release(envelope)
        stored = result.last(StoredInTransactionStamp)
        if stored is not None:
            self._transactions.on_roll_back(stored.connection, self._locks.releaser(envelope))
        return result

    def _on_received(self, envelope: AnyEnvelope, stamp: DeduplicateStamp) -> None:
        """A received message is never dropped. One from a failure transport lost its lock there and needs it again."""
        if stamp.only_in_queue:
            self._locks.release(envelope)
        elif envelope.last(SentToFailureTransportStamp) is not None:
            take_again(self._locks, envelope)


def take_again(locks: MessageLocks, envelope: AnyEnvelope) -> None:
    """Take the lock of a failed message that is retried.

    Raises:
        MessageIsDuplicate: Another message has the lock.
    """
    holder = locks.take(envelope)
    if holder is not None:
        stamp = envelope.last(DeduplicateStamp)
        raise MessageIsDuplicate(
            f"message {holder} with the same key {stamp.key if stamp is not None else ''!r} is on its way; retry this "
            "one when that is done, or remove it"
        )


def _is_elsewhere(result: AnyEnvelope) -> bool:
    """Return True when a transport has the message now. A message handled in this process has a ReceivedStamp."""
    received = {stamp.transport_name for stamp in result.all(ReceivedStamp)}
    return any(stamp.transport_name not in received for stamp in result.all(SentStamp))
