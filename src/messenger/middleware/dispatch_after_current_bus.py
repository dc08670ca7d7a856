"""Holds back what a handler dispatched with a DispatchAfterCurrentBusStamp until the handled message succeeded."""

from __future__ import annotations

from collections import deque

from messenger.envelope import AnyEnvelope
from messenger.errors import DelayedMessageHandlingFailed
from messenger.middleware.base import Next
from messenger.stamps import LocalStamp


class DispatchAfterCurrentBusStamp(LocalStamp, frozen=True):
    """Dispatched by a handler: send or handle this only after the message being handled succeeded, else drop it.

    Outside a handler it has no effect.
    """


class DispatchAfterCurrentBus:
    """One object for all buses of an application: the outermost dispatch is known across them (spec section 3)."""

    def __init__(self) -> None:
        self._inside = False
        self._queue: deque[tuple[AnyEnvelope, Next]] = deque()

    def handle(self, envelope: AnyEnvelope, following: Next) -> AnyEnvelope:
        """Queue a stamped envelope while another dispatch runs, else go on; the outermost dispatch empties the queue.

        Raises DelayedMessageHandlingFailed when the outermost message succeeded and queued ones failed.
        """
        if envelope.last(DispatchAfterCurrentBusStamp) is not None:
            if self._inside:
                self._queue.append((envelope, following))
                return envelope
            envelope = envelope.without_all(DispatchAfterCurrentBusStamp)
        if self._inside:
            return following(envelope)
        self._inside = True
        try:
            result = following(envelope)
            errors = self._dispatch_queued()
        finally:
            self._inside = False
            self._queue.clear()
        if errors:
            raise DelayedMessageHandlingFailed(result, errors) from errors[0]
        return result

    def _dispatch_queued(self) -> list[Exception]:
        errors: list[Exception] = []
        while self._queue:
            envelope, following = self._queue.popleft()
            before = len(self._queue)
            try:
                following(envelope.without_all(DispatchAfterCurrentBusStamp))
            except Exception as error:
                errors.append(error)
                while len(self._queue) > before:  # what the failed one queued is dropped with it
                    self._queue.pop()
        return errors
