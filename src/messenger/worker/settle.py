"""Has a message handled, and sees that it is acknowledged, retried or put aside."""

from __future__ import annotations

import enum
import logging
import time
from collections.abc import Callable

from messenger.application import Application
from messenger.envelope import AnyEnvelope
from messenger.errors import MessageDecodingFailed, MessageKillsWorkers, StopWorker, causes
from messenger.events import EventDispatcher, WorkerMessageFailed, WorkerMessageHandled, WorkerMessageReceived
from messenger.failure import FailureHandling, Outcome
from messenger.messages import wire_name
from messenger.stamps import AckStamp, DeliveryStamp, NoAutoAckStamp, ReceivedStamp
from messenger.transports.base import Transport
from messenger.wire.encoded import UndecodableMessage
from messenger.worker.failure_log import about, log_failure
from messenger.worker.handover import Handovers
from messenger.worker.status import Held, WorkerStatus
from messenger.worker.stop import StopRequest

log = logging.getLogger(__name__)


class Handled(enum.Enum):
    """LATER: a batch handler has the message, and its AckStamp is called when it is done."""

    LATER = enum.auto()


class Settlement:
    """What becomes of each message a worker takes.

    handovers: keep a message in hand while the store that must confirm its fate is away.
    bus_name: handle everything on this bus.
    trouble: the error of the last message that went back because something its handler needs is away (R61).
    """

    def __init__(
        self,
        application: Application,
        status: WorkerStatus,
        events: EventDispatcher,
        stop: StopRequest,
        bus_name: str | None,
    ) -> None:
        self.handovers = Handovers(status)
        self.trouble: Exception | None = None
        self._application = application
        self._status = status
        self._events = events
        self._stop = stop
        self._bus_name = bus_name
        self._failures = FailureHandling(
            application.retry_strategies(),
            application.failure_transports,
            application.transport,
            application.infrastructure_errors(),
        )

    def handle(self, held: Held) -> None:
        """Call the handlers and settle the message, unless a batch handler keeps it for now."""
        self._events.dispatch(WorkerMessageReceived(held.envelope, held.transport.name))
        began = time.monotonic()

        def settle(error: Exception | None) -> None:
            self._settle(held, error, (time.monotonic() - began) * 1000)

        outcome = run_handlers(self._application, held.transport, held.envelope, settle, self._bus_name)
        if outcome is not Handled.LATER:
            settle(outcome)

    def _settle(self, held: Held, error: Exception | None, milliseconds: float) -> None:
        if error is None:
            self._settle_success(held, milliseconds)
            return
        stop = stop_asked_for(error)
        if stop is not None:
            self._stop.request(str(stop))
        self._settle_failure(held, error)

    def _settle_success(self, held: Held, milliseconds: float) -> None:
        def then() -> None:
            self._status.handled += 1
            log.info("message_handled transport=%s id=%s type=%s ms=%.1f%s", held.transport.name, held.id, held.type,
                     milliseconds, about(held.envelope))  # fmt: skip
            self._events.dispatch(WorkerMessageHandled(held.envelope, held.transport.name, milliseconds))

        self.handovers.settle(held, lambda: held.transport.ack(held.envelope), then)

    def _settle_failure(self, held: Held, error: Exception) -> None:
        outcomes: list[Outcome] = []

        def hand_over() -> None:
            outcomes.append(self._failures.settle(held.transport, held.envelope, error))

        def then() -> None:
            outcome = outcomes[-1]
            if outcome.is_attempt:
                self._status.failed += 1
            else:
                self.trouble = error
            log_failure(held, error, outcome)
            self._events.dispatch(
                WorkerMessageFailed(
                    held.envelope,
                    held.transport.name,
                    error,
                    outcome.will_retry,
                    outcome.failure_transport,
                    outcome.delay,
                )
            )

        self.handovers.settle(held, hand_over, then)


def run_handlers(
    application: Application,
    transport: Transport,
    envelope: AnyEnvelope,
    settle: Callable[[Exception | None], None],
    bus_name: str | None = None,
) -> Exception | None | Handled:
    """Handle what a transport gave, unless it cannot be read or seems to end its workers.

    Returns what went wrong, None, or LATER: then `settle` is called with either when a batch handler is done.
    """
    if isinstance(envelope.message, UndecodableMessage):
        return MessageDecodingFailed(envelope.message.reason)
    stamp = envelope.last(DeliveryStamp)
    limit = application.max_deliveries(transport.name)
    if limit and stamp is not None and stamp.count > limit:
        return MessageKillsWorkers(f"handed out {limit} times and never settled: it seems to end its workers")
    try:
        received = envelope.with_stamps(ReceivedStamp(transport.name), AckStamp(settle))
        result = application.dispatch_received(received, bus_name)
    except Exception as error:
        return error
    return Handled.LATER if result.last(NoAutoAckStamp) is not None else None


def stop_asked_for(error: Exception) -> StopWorker | None:
    """The StopWorker a handler raised, if one did."""
    return next((cause for cause in causes(error) if isinstance(cause, StopWorker)), None)


def message_type(envelope: AnyEnvelope) -> str:
    """The wire name of its message, for people."""
    if isinstance(envelope.message, UndecodableMessage):
        return envelope.message.headers.get("type", "undecodable")
    return wire_name(type(envelope.message))
