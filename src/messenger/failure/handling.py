"""What becomes of a message that failed: its next try, or the failure transport.

The order is the promise: stored there, confirmed, and only then removed here.
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
class Outcome:
    """What was decided.

    delay: milliseconds until the next try.
    failure_transport: where the message is now; None: retried, or discarded as configured.
    is_attempt: whether a try was used up; not when something that handlers need was away.
    """

    will_retry: bool
    delay: int = 0
    failure_transport: str | None = None
    is_attempt: bool = True


class FailureHandling:
    """Decides and carries out; one object for a worker.

    infrastructure_errors: they say that something handlers need is away.
    strategies: by transport name. failure_transports: the name for each transport, None where the operator wrote
    `failure_transport: null`. transport: a transport by name.
    """

    def __init__(
        self,
        strategies: Mapping[str, RetryStrategy],
        failure_transports: Mapping[str, str | None],
        transport: Callable[[str], Transport],
        infrastructure_errors: tuple[type[Exception], ...] = (),
    ) -> None:
        self._strategies = strategies
        self._failure_transports = failure_transports
        self._transport = transport
        self._infrastructure_errors = infrastructure_errors

    def settle(self, source: Transport, received: AnyEnvelope, error: Exception) -> Outcome:
        """Retry the message or put it aside. Raises TransportUnavailable with nothing changed: call again.

        received: as the transport gave it.
        """
        # After DelayedMessageHandlingFailed the handlers run again: they alone can dispatch what has failed once more.
        failed = error.envelope if isinstance(error, HandlerFailed) else received
        failed = with_error(failed, error)
        if any(isinstance(cause, self._infrastructure_errors) for cause in causes(error)):
            stamped = failed.without_all(DelayStamp).with_stamps(DelayStamp(_INFRASTRUCTURE_DELAY))
            source.requeue(received, stamped)
            return Outcome(will_retry=True, delay=_INFRASTRUCTURE_DELAY, is_attempt=False)
        strategy = self._strategies[source.name]
        if self._rests_here(source.name, received):
            return self._keep(source, received, failed, strategy.waiting_time(failed, error))
        if not isinstance(failed.message, UndecodableMessage) and should_retry(failed, error, strategy):
            delay = retry_delay(failed, error, strategy)
            source.requeue(received, redelivery(failed, delay, retry_count(failed) + 1))
            return Outcome(will_retry=True, delay=delay)
        return self._put_aside(source, received, failed)

    def _rests_here(self, name: str, received: AnyEnvelope) -> bool:
        """Whether a message that was put aside stays in this transport: there is no other, or it came from there.

        The latter is so where two failure transports name each other, or one is the queue of `name` by another name.
        """
        target = self._failure_transports.get(name)
        origins = {stamp.original_receiver_name for stamp in received.all(SentToFailureTransportStamp)}
        return bool(origins) and (target in (None, name) or not origins.isdisjoint((name, target)))

    def _keep(self, source: Transport, received: AnyEnvelope, failed: AnyEnvelope, delay: int) -> Outcome:
        """A message in a failure transport leaves it by success or by an operator's command only."""
        delay = min(max(delay, 1000), _LONGEST_PARKING)
        source.requeue(received, redelivery(failed, delay, retry_count(failed) + 1))
        return Outcome(will_retry=False, delay=delay, failure_transport=source.name)

    def _put_aside(self, source: Transport, received: AnyEnvelope, failed: AnyEnvelope) -> Outcome:
        target = self._failure_transports.get(source.name)
        if target is None:
            source.reject(received)
            return Outcome(will_retry=False)
        origin = SentToFailureTransportStamp(source.name)
        self._transport(target).send(redelivery(failed.with_stamps(origin), 0, 0))
        source.reject(received)
        return Outcome(will_retry=False, failure_transport=target)


def redelivery(envelope: AnyEnvelope, delay: int, count: int) -> AnyEnvelope:
    """The envelope with one more delay and redelivery; of each kind the first and the newest nine are kept."""
    envelope = envelope.with_stamps(DelayStamp(delay), RedeliveryStamp(min(count, MOST_RETRIES)))
    for kind in (DelayStamp, RedeliveryStamp):
        stamps: list[Stamp] = list(envelope.all(kind))
        if len(stamps) > _HISTORY:
            kept = [stamps[0], *stamps[-(_HISTORY - 1) :]]
            envelope = envelope.without_all(kind).with_stamps(*kept)
    return envelope


def with_error(envelope: AnyEnvelope, error: Exception) -> AnyEnvelope:
    """The envelope with what was raised, the last error only, so that it never grows with attempts."""
    cause = causes(error)[0]
    stamp = ErrorDetailsStamp(
        exception_class=text_of(dotted_name(type(cause))),
        exception_code=_code(cause),
        exception_message=text_of(cause)[:_MAX_TEXT],
    )
    return envelope.without_all(ErrorDetailsStamp).with_stamps(stamp)


def _code(error: Exception) -> int | str:
    """The `code` that an error carries, if it is one that a stamp can carry."""
    try:
        code = getattr(error, "code", 0)
    except BaseException:  # of its property
        return 0
    if isinstance(code, str):
        return text_of(code)[:_MAX_TEXT]
    number = index(code) if isinstance(code, int) and not isinstance(code, bool) else 0
    return number if abs(number) <= _MOST_CODE else 0
