"""Keeps the locks of the messages that a worker has, and frees them when a message has ended."""

from __future__ import annotations

import time

from messenger.deduplication.message_locks import Lock, MessageLocks, lock_of
from messenger.deduplication.stamps import DeduplicateStamp
from messenger.envelope import AnyEnvelope
from messenger.events import (
    EventDispatcher,
    WorkerHeartbeat,
    WorkerMessageFailed,
    WorkerMessageHandled,
    WorkerMessageReceived,
    WorkerRateLimited,
)

_RENEWALS_IN_A_TTL = 3


class LockKeeper:
    """Listens to a worker. A message keeps its lock until it is handled or has failed for good."""

    def __init__(self, locks: MessageLocks) -> None:
        self._locks = locks
        self._renewed: dict[Lock, float] = {}

    def listen(self, events: EventDispatcher) -> None:
        """Keep locks from now on."""
        events.listen(WorkerMessageReceived, self._on_received, only_with=DeduplicateStamp)
        events.listen(WorkerMessageHandled, self._on_handled, only_with=DeduplicateStamp)
        events.listen(WorkerMessageFailed, self._on_failed, only_with=DeduplicateStamp)
        events.listen(WorkerRateLimited, self._on_rate_limited)
        events.listen(WorkerHeartbeat, self._on_heartbeat)

    def _on_received(self, event: WorkerMessageReceived) -> None:
        self._locks.renew(event.envelope)

    def _on_handled(self, event: WorkerMessageHandled) -> None:
        self._locks.release(event.envelope)

    def _on_failed(self, event: WorkerMessageFailed) -> None:
        if event.will_retry:
            self._locks.renew(event.envelope, event.delay / 1000)
        else:
            self._locks.release(event.envelope)

    def _on_rate_limited(self, event: WorkerRateLimited) -> None:
        if event.envelope is not None:
            self._locks.renew(event.envelope, event.seconds)

    def _on_heartbeat(self, event: WorkerHeartbeat) -> None:
        now = time.monotonic()
        held: dict[Lock, AnyEnvelope] = {lock: each for each in event.held if (lock := lock_of(each)) is not None}
        self._renewed = {lock: moment for lock, moment in self._renewed.items() if lock in held}
        for lock, envelope in held.items():
            if now - self._renewed.get(lock, float("-inf")) >= lock.ttl / _RENEWALS_IN_A_TTL:
                self._locks.renew(envelope)
                self._renewed[lock] = now
