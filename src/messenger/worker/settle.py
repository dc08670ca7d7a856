"""Has a message handled, and sees that it is acknowledged, retried or put aside."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from messenger.application import Application
from messenger.concurrency.forks import ForksEnd
from messenger.envelope import AnyEnvelope
from messenger.errors import MessageDecodingFailed, MessageKillsWorkers, StopWorker, as_failure, causes
from messenger.events import EventDispatcher, WorkerMessageFailed, WorkerMessageHandled, WorkerMessageReceived
from messenger.failure.handling import Outcome
from messenger.handling.batch import AckStamp, NoAutoAckStamp
from messenger.messages import wire_name
from messenger.printable import SHORT, printable, printable_line
from messenger.stamps import DeliveryStamp, MessageIdsStamp, ReceivedStamp
from messenger.transports.base import Transport
from messenger.wire.encoded import UndecodableMessage
from messenger.worker.handover import Handovers
from messenger.worker.status import Held, WorkerStatus
from messenger.worker.stop import StopRequest

log = logging.getLogger(__name__)


@dataclass
class Settlement:
    """What becomes of each message a worker takes.

    handovers: keep a message in hand while the store that must confirm its fate is away.
    bus_name: handle everything on this bus.
    trouble: the error of the last message that went back because something its handler needs is away.
    """

    application: Application
    status: WorkerStatus
    events: EventDispatcher
    stop: StopRequest
    bus_name: str | None
    trouble: Exception | None = None

    def __post_init__(self) -> None:
        self.handovers = Handovers(self.status)
        self._failures = self.application.failure_handling()

    def handle(self, held: Held) -> None:
        """Call the handlers and settle the message, unless a batch handler keeps it for now."""
        self._tell_of_earlier_deliveries(held)
        self.events.dispatch(WorkerMessageReceived(held.envelope, held.transport.name))
        began = time.monotonic()

        def settle(error: Exception | None) -> None:
            if error is None:
                self._settle_success(held, (time.monotonic() - began) * 1000)
            else:
                self._settle_failure(held, error)

        run_handlers(self.application, held.transport, held.envelope, settle, self.bus_name)

    def _tell_of_earlier_deliveries(self, held: Held) -> None:
        stamp = held.envelope.last(DeliveryStamp)
        if stamp is not None and stamp.count > 1:
            why = "the worker that had begun it was cut off, or was not heard of any more"
            log.warning("message_taken_over transport=%s id=%s: delivery %d: %s", held.transport.name, held.id,
                        stamp.count, why)  # fmt: skip

    def _settle_success(self, held: Held, milliseconds: float) -> None:
        def then(_: None) -> None:
            self.status.handled += 1
            log.info("message_handled transport=%s id=%s type=%s ms=%.1f%s", held.transport.name, held.id, held.type,
                     milliseconds, about(held.envelope))  # fmt: skip
            self.events.dispatch(WorkerMessageHandled(held.envelope, held.transport.name, milliseconds))

        self.handovers.settle(held, lambda: held.transport.ack(held.envelope), then)

    def _settle_failure(self, held: Held, error: Exception) -> None:
        stop = stop_asked_for(error)
        if stop is not None:
            self.stop.request(str(stop))

        def then(outcome: Outcome) -> None:
            if outcome.is_attempt:
                self.status.failed += 1
            else:
                self.trouble = error
            log_failure(held, error, outcome)
            fate = (outcome.will_retry, outcome.failure_transport, outcome.delay)
            self.events.dispatch(WorkerMessageFailed(held.envelope, held.transport.name, error, *fate))

        self.handovers.settle(held, lambda: self._failures.settle(held.transport, held.envelope, error), then)


def run_handlers(
    application: Application,
    transport: Transport,
    envelope: AnyEnvelope,
    settle: Callable[[Exception | None], None],
    bus_name: str | None = None,
) -> None:
    """Handle what a transport gave, unless it cannot be read or seems to end its workers.

    settle: called once, with what went wrong or None; later, when a batch handler has the message.
    """
    problem: Exception | None = None
    stamp = envelope.last(DeliveryStamp)
    limit = application.max_deliveries(transport.name)
    if limit and stamp is not None and stamp.count > limit:  # its transport has not read it
        why = "it seems to end its workers, or takes longer than their stop deadline"
        problem = MessageKillsWorkers(f"handed out {limit} times and never settled: {why}")
    elif isinstance(envelope.message, UndecodableMessage):
        problem = MessageDecodingFailed(envelope.message.reason)
    else:
        received = envelope.with_stamps(ReceivedStamp(transport.name), AckStamp(settle))
        try:
            with ForksEnd():
                handled = application.dispatch_received(received, bus_name)
            if handled.last(NoAutoAckStamp) is not None:
                return
        except BaseException as error:
            problem = as_failure(error, "a middleware")
    settle(problem)


def stop_asked_for(error: Exception) -> StopWorker | None:
    """The StopWorker a handler raised, if one did."""
    return next((cause for cause in causes(error) if isinstance(cause, StopWorker)), None)


def message_type(envelope: AnyEnvelope) -> str:
    """The wire name of its message, for people."""
    if isinstance(envelope.message, UndecodableMessage):
        return printable(envelope.message.headers.get("type", "undecodable"), SHORT)
    return wire_name(type(envelope.message))


_LONGEST_ERROR = 4_000  # characters


def about(envelope: AnyEnvelope) -> str:
    """For the log: the message's own id, and how often it was handed out when it may have run before."""
    ids = envelope.last(MessageIdsStamp)
    text = f" message_id={ids.message_id}" if ids is not None else ""
    stamp = envelope.last(DeliveryStamp)
    return text + (f" delivery={stamp.count}" if stamp is not None and stamp.count > 1 else "")


def log_failure(held: Held, error: Exception, outcome: Outcome) -> None:
    """Say what became of a message that failed."""
    why = printable_line(error, _LONGEST_ERROR)
    what = f"transport={held.transport.name} id={held.id} type={held.type}{about(held.envelope)}"
    if not outcome.is_attempt:
        log.warning("message_put_back %s: something its handler needs is away: %s", what, why)
    elif outcome.will_retry:
        log.warning("message_retried %s delay_ms=%d: %s", what, outcome.delay, why)
    elif outcome.failure_transport is not None:
        log.error("message_failed %s kept_in=%s: %s", what, outcome.failure_transport, why, exc_info=error)
    else:
        log.critical("message_discarded %s (failure_transport is null): %s", what, why, exc_info=error)
