"""Receivers of transports with a rate limiter: a message is handled only with a token."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence

from messenger.envelope import AnyEnvelope
from messenger.errors import TransportError
from messenger.events import EventDispatcher, WorkerRateLimited
from messenger.rate_limit.factory import NamedRateLimiter
from messenger.rate_limit.limiter import TurnLimiter
from messenger.stamps import DelayStamp, DeliveryStamp
from messenger.transports.base import Transport
from messenger.wire.encoded import UndecodableMessage
from messenger.wire.extension_headers import TurnStamp
from messenger.worker.receiver import Receiver

log = logging.getLogger(__name__)
_POLL_SECONDS = 0.1
# A token that an idle worker gives back is available earlier than the limiter said.
_LONGEST_PAUSE_SECONDS = 1.0
_LIMITER_AWAY_SECONDS = 1.0


class LimitedReceiver(Receiver):
    """What receivers with a rate limiter share."""

    def __init__(self, transport: Transport, weight: int, limiter: NamedRateLimiter, events: EventDispatcher) -> None:
        """Create a receiver.

        Args:
            transport: The transport.
            weight: Its share when transports are served by weight.
            limiter: The rate limiter.
            events: Gets an event each time there is no token.
        """
        super().__init__(transport, weight)
        self._limiter = limiter
        self._events = events

    def take(self, wait: float, stop: Callable[[], bool], limit: int) -> Sequence[AnyEnvelope]:
        """Return the messages for which there is a token."""
        self.asked_at = time.monotonic()
        try:
            envelopes = self._take(wait, stop, limit)
        except TransportError as error:
            self.back_off(error)
            return ()
        self.recover()
        return envelopes

    def _take(self, wait: float, stop: Callable[[], bool], limit: int) -> Sequence[AnyEnvelope]:
        """Return the messages for which there is a token.

        Raises:
            TransportError: The limiter or the transport is unavailable.
        """
        raise NotImplementedError


class RateLimitedReceiver(LimitedReceiver):
    """Receiver for a limiter without a key: it takes a token before a message.

    It never waits while it has a token: workers with old tokens would together exceed the limit.
    """

    def __init__(self, transport: Transport, weight: int, limiter: NamedRateLimiter, events: EventDispatcher) -> None:
        """Create a receiver; see LimitedReceiver."""
        super().__init__(transport, weight, limiter, events)
        self.waking = None  # it is asked again and again, with a token

    def _take(self, wait: float, stop: Callable[[], bool], limit: int) -> Sequence[AnyEnvelope]:
        """Return one message if there is a token and a message; does not wait."""
        seconds = self._limiter.limiter.acquire("")
        if seconds > 0:
            self.not_before = time.monotonic() + min(seconds, _LONGEST_PAUSE_SECONDS)
            self._events.dispatch(WorkerRateLimited(self._limiter.name, self.name, seconds))
            return ()
        taken: Sequence[AnyEnvelope] = ()
        try:
            taken = self.transport.get(0.0, stop, 1)
        finally:
            if not taken:
                self._limiter.limiter.give_back("")
        if not taken:
            self.not_before = time.monotonic() + _POLL_SECONDS
        return taken


class KeyRateLimitedReceiver(LimitedReceiver):
    """Receiver for a limiter with a key: it takes a message, which has the key, and puts it back without a token."""

    def _take(self, wait: float, stop: Callable[[], bool], limit: int) -> Sequence[AnyEnvelope]:
        return self._with_token(self.transport.get(wait, stop, limit))

    def end_wait(self) -> Sequence[AnyEnvelope]:
        """Return the messages for which there is a token."""
        if self.waking is None:
            return ()
        try:
            envelopes = self._with_token(self.waking.end_wait())
        except TransportError as error:
            self.back_off(error)
            return ()
        self.recover()
        return envelopes

    def _with_token(self, envelopes: Sequence[AnyEnvelope]) -> Sequence[AnyEnvelope]:
        """Return the messages for which there is a token, and put the others back.

        Raises:
            TransportError: No message was let through, and the limiter or the transport is unavailable.
        """
        passed: list[AnyEnvelope] = []
        trouble: TransportError | None = None
        for envelope in envelopes:
            try:
                if self._pass(envelope):
                    passed.append(envelope.without_all(TurnStamp))
            except TransportError as error:
                trouble = trouble or error
        if trouble is not None and not passed:
            raise trouble
        return passed

    def _pass(self, envelope: AnyEnvelope) -> bool:
        """Return True when a message is handled now; else put it back.

        A message that cannot be decoded passes without a token: no handler is called for it.
        """
        if isinstance(envelope.message, UndecodableMessage):
            return True
        try:
            seconds = self._acquire(envelope)
        except TransportError:
            if _was_handed_out_before(envelope):
                return True
            self._put_back(envelope, _LIMITER_AWAY_SECONDS)
            raise
        if seconds <= 0:
            return True
        self._events.dispatch(WorkerRateLimited(self._limiter.name, self.name, seconds, envelope))
        if _was_handed_out_before(envelope):
            return True
        self._put_back(envelope, seconds)
        return False

    def _acquire(self, envelope: AnyEnvelope) -> float:
        """Take a token. A message in its turn that is refused gets the next turn, so that none is left unused."""
        limiter, key = self._limiter.limiter, self._limiter.key_of(envelope.message)
        if envelope.last(TurnStamp) is not None and isinstance(limiter, TurnLimiter):
            return limiter.acquire_in_turn(key)
        return limiter.acquire(key)

    def _put_back(self, envelope: AnyEnvelope, seconds: float) -> None:
        """Put a message back for `seconds`. It is no attempt: neither its retries nor its deliveries are counted."""
        delay = max(1, math.ceil(seconds * 1000))
        waiting = envelope.without_all(DelayStamp).without_all(TurnStamp).with_stamps(DelayStamp(delay), TurnStamp())
        self.transport.requeue(envelope, waiting)
        log.debug("rate_limited transport=%s id=%s delay_ms=%d", self.name, envelope.id or "-", delay)


def _was_handed_out_before(envelope: AnyEnvelope) -> bool:
    """Return True for a message that was delivered before. It is not put back.

    That would start its count of deliveries again, and a message that kills workers would do so forever.
    """
    stamp = envelope.last(DeliveryStamp)
    return stamp is not None and stamp.count > 1


def rate_limited_receiver(
    transport: Transport, weight: int, limiter: NamedRateLimiter, events: EventDispatcher
) -> RateLimitedReceiver | KeyRateLimitedReceiver:
    """Return the receiver for a transport with this limiter."""
    return (RateLimitedReceiver if limiter.field is None else KeyRateLimitedReceiver)(
        transport, weight, limiter, events
    )
