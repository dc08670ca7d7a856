"""Failure handling: a failed message is retried, or moved to the failure transport.

The order guarantees the delivery: the message is stored there, that is confirmed, and only then it is removed here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import index

from messenger.envelope import AnyEnvelope
from messenger.errors import HandlerFailed, causes
from messenger.failure.retry import RetryStrategy, retry_count, retry_delay, should_retry
from messenger.messages import dotted_name
from messenger.printable import text_of
from messenger.stamps import (
    MOST_RETRIES,
    DelayStamp,
    ErrorDetailsStamp,
    RedeliveryStamp,
    SentToFailureTransportStamp,
    Stamp,
)
from messenger.transports.base import Transport
from messenger.wire.encoded import UndecodableMessage

log = logging.getLogger(__name__)
_HISTORY = 10
_MAX_TEXT = 2000
_MOST_CODE = 2**63 - 1  # what JSON is written with here
_LONGEST_PARKING = 3_600_000
_INFRASTRUCTURE_DELAY = 1000  # ms: short, for the worker itself waits until what is away has come back


@dataclass(frozen=True, slots=True)
class FailureOutcome:
    """What was done with a failed message.

    Attributes:
        will_retry: True when the message waits for its next attempt.
        delay: Milliseconds until the next attempt.
        failure_transport: Where the message is now. None when it is retried, or was discarded as configured.
        is_attempt: True when an attempt was used up; False when something that handlers need is unavailable.
    """

    will_retry: bool
    delay: int = 0
    failure_transport: str | None = None
    is_attempt: bool = True


class FailureHandling:
    """Decides what happens to failed messages, and does it. There is one for each worker."""

    def __init__(
        self,
        strategies: Mapping[str, RetryStrategy],
        failure_transports: Mapping[str, str | None],
        transport: Callable[[str], Transport],
        infrastructure_errors: tuple[type[Exception], ...] = (),
    ) -> None:
        """Create it.

        Args:
            strategies: The retry strategy by transport name.
            failure_transports: The failure transport by transport name; None for `failure_transport: null`.
            transport: Returns a transport by name.
            infrastructure_errors: Classes of errors that mean that something the handlers need is unavailable.
        """
        self._strategies = strategies
        self._failure_transports = failure_transports
        self._transport = transport
        self._infrastructure_errors = infrastructure_errors

    def settle(self, source: Transport, received: AnyEnvelope, error: Exception) -> FailureOutcome:
        """Retry a message, or move it to the failure transport.

        Args:
            source: The transport that the message came from.
            received: The message as the transport delivered it.
            error: What was raised.

        Returns:
            What was done.

        Raises:
            TransportUnavailable: Nothing has changed; call again later.
        """
        # After DelayedMessageHandlingFailed the handlers run again: they alone can dispatch what has failed once more.
        failed = error.envelope if isinstance(error, HandlerFailed) else received
        failed = with_error(failed, error)
        if any(isinstance(cause, self._infrastructure_errors) for cause in causes(error)):
            stamped = failed.without_all(DelayStamp).with_stamps(DelayStamp(_INFRASTRUCTURE_DELAY))
            source.requeue(received, stamped)
            return FailureOutcome(will_retry=True, delay=_INFRASTRUCTURE_DELAY, is_attempt=False)
        strategy = self._strategies[source.name]
        if self._rests_here(source.name, received):
            return self._keep(source, received, failed, strategy.waiting_time(failed, error))
        if not isinstance(failed.message, UndecodableMessage) and should_retry(failed, error, strategy):
            delay = retry_delay(failed, error, strategy)
            source.requeue(received, redelivery(failed, delay, retry_count(failed) + 1))
            return FailureOutcome(will_retry=True, delay=delay)
        return self._put_aside(source, received, failed)

    def _rests_here(self, name: str, received: AnyEnvelope) -> bool:
        """Return True when a failed message stays in this transport, because there is no other or it came from there.

        The latter happens where two failure transports name each other, or one is the queue of `name` by another name.
        """
        target = self._failure_transports.get(name)
        origins = {stamp.original_receiver_name for stamp in received.all(SentToFailureTransportStamp)}
        return bool(origins) and (target in (None, name) or not origins.isdisjoint((name, target)))

    def _keep(self, source: Transport, received: AnyEnvelope, failed: AnyEnvelope, delay: int) -> FailureOutcome:
        """Leave a message in its failure transport, from which only success or an operator's command removes it."""
        delay = min(max(delay, 1000), _LONGEST_PARKING)
        source.requeue(received, redelivery(failed, delay, retry_count(failed) + 1))
        return FailureOutcome(will_retry=False, delay=delay, failure_transport=source.name)

    def _put_aside(self, source: Transport, received: AnyEnvelope, failed: AnyEnvelope) -> FailureOutcome:
        target = self._failure_transports.get(source.name)
        if target is None:
            source.reject(received)
            return FailureOutcome(will_retry=False)
        origin = SentToFailureTransportStamp(source.name)
        self._transport(target).send(redelivery(failed.with_stamps(origin), 0, 0))
        source.reject(received)
        return FailureOutcome(will_retry=False, failure_transport=target)


def redelivery(envelope: AnyEnvelope, delay: int, count: int) -> AnyEnvelope:
    """Return the envelope with one more delay and redelivery; of each kind the first and the newest nine are kept.

    Args:
        envelope: The message.
        delay: Milliseconds.
        count: The new retry count.
    """
    envelope = envelope.with_stamps(DelayStamp(delay), RedeliveryStamp(min(count, MOST_RETRIES)))
    for kind in (DelayStamp, RedeliveryStamp):
        stamps: list[Stamp] = list(envelope.all(kind))
        if len(stamps) > _HISTORY:
            kept = [stamps[0], *stamps[-(_HISTORY - 1) :]]
            envelope = envelope.without_all(kind).with_stamps(*kept)
    return envelope


def with_error(envelope: AnyEnvelope, error: Exception) -> AnyEnvelope:
    """Return the envelope with the details of an error in place of older ones, so that retries do not make it grow."""
    cause = causes(error)[0]
    stamp = ErrorDetailsStamp(
        exception_class=text_of(dotted_name(type(cause))),
        exception_code=_code(cause),
        exception_message=text_of(cause)[:_MAX_TEXT],
    )
    return envelope.without_all(ErrorDetailsStamp).with_stamps(stamp)


def _code(error: Exception) -> int | str:
    """Return the `code` of an error if a stamp can carry it, else 0."""
    try:
        code = getattr(error, "code", 0)
    except BaseException:  # of its property
        return 0
    if isinstance(code, str):
        return text_of(code)[:_MAX_TEXT]
    number = index(code) if isinstance(code, int) and not isinstance(code, bool) else 0
    return number if abs(number) <= _MOST_CODE else 0
