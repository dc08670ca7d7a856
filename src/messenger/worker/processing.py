"""Processing of a received message: its handlers, then its acknowledgement, retry or move to the failure transport."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from messenger.application import Application
from messenger.concurrency.forks import ForksEnd
from messenger.errors import (
    MessageDecodingFailed,
    MessageKillsWorkers,
    StopWorker,
    TransportError,
    as_failure,
    causes,
)
from messenger.events import EventDispatcher, WorkerMessageFailed, WorkerMessageHandled, WorkerMessageReceived
from messenger.failure.handling import FailureOutcome
from messenger.handling.batch import AckStamp, NoAutoAckStamp
from messenger.printable import printable_line
from messenger.stamps import MessageIdsStamp, ReceivedStamp
from messenger.wire.encoded import UndecodableMessage
from messenger.worker.pending_acks import PendingAck, PendingAcks
from messenger.worker.status import InFlightMessage, WorkerStatus
from messenger.worker.stop import StopRequest

log = logging.getLogger(__name__)
_LONGEST_ERROR = 4_000  # characters


@dataclass
class MessageProcessor:
    """Processes the messages of a worker, each from its handlers to its acknowledgement.

    Attributes:
        bus_name: Handle everything on this bus.
        pending: The messages whose acknowledgement was not confirmed yet, because a store is unavailable.
        trouble: The error of the last message that went back because something its handler needs is unavailable.
    """

    application: Application
    status: WorkerStatus
    events: EventDispatcher
    stop: StopRequest
    bus_name: str | None
    pending: PendingAcks = field(default_factory=PendingAcks)
    trouble: Exception | None = None

    def __post_init__(self) -> None:
        self._failures = self.application.failure_handling()

    def process(self, message: InFlightMessage) -> None:
        """Call the handlers of a message and settle it, unless a batch handler keeps it for now."""
        if message.deliveries > 1:
            why = "the worker that had begun it was cut off, or was not heard of any more"
            what = (message.transport.name, message.id, message.deliveries)
            log.warning("message_taken_over transport=%s id=%s: delivery %d: %s", *what, why)
        self.events.dispatch(WorkerMessageReceived(message.envelope, message.transport.name))
        message.began = time.monotonic()
        is_done, error = run_handlers(self.application, message, partial(self.settle, message), self.bus_name)
        if is_done:
            self.settle(message, error)

    def settle(self, message: InFlightMessage, error: Exception | None) -> None:
        """Acknowledge a message whose handlers succeeded; retry one that failed, or hand it to its failure transport.

        While a store is unavailable the message stays in flight; `settle_pending` tries again.
        """
        milliseconds = (time.monotonic() - message.began) * 1000
        stop = stop_asked_for(error) if error is not None else None
        if stop is not None:
            self.stop.request(str(stop))
        try:
            outcome = self._hand_over(message, error)
        except TransportError as reason:
            self.pending.add(PendingAck(message, error, milliseconds), reason)
            return
        self._on_confirmed(message, error, milliseconds, outcome)

    def settle_pending(self, *, at_once: bool = False) -> None:
        """Try those pending messages again whose wait is over; with `at_once` all of them."""
        for item in list(self.pending.items) if at_once else self.pending.due():
            try:
                outcome = self._hand_over(item.message, item.error)
            except TransportError as reason:
                self.pending.postpone(item, reason)
                continue
            self.pending.remove(item)
            self._on_confirmed(item.message, item.error, item.milliseconds, outcome)

    def _hand_over(self, message: InFlightMessage, error: Exception | None) -> FailureOutcome | None:
        """Acknowledge a handled message, or do what is decided of a failed one.

        Returns:
            What became of a failed message; None for a handled one.

        Raises:
            TransportError: A store is unavailable, and nothing has changed.
        """
        if error is None:
            message.transport.ack(message.envelope)
            return None
        return self._failures.settle(message.transport, message.envelope, error)

    def _on_confirmed(
        self, message: InFlightMessage, error: Exception | None, milliseconds: float, outcome: FailureOutcome | None
    ) -> None:
        self.status.record_settled(message)
        if error is not None and outcome is not None:
            self._on_failed(message, error, outcome)
            return
        self.status.handled += 1
        what = (message.transport.name, message.id, message.type, milliseconds, about(message))
        log.info("message_handled transport=%s id=%s type=%s ms=%.1f%s", *what)
        self.events.dispatch(WorkerMessageHandled(message.envelope, message.transport.name, milliseconds))

    def _on_failed(self, message: InFlightMessage, error: Exception, outcome: FailureOutcome) -> None:
        if outcome.is_attempt:
            self.status.failed += 1
        else:
            self.trouble = error
        log_failure(message, error, outcome)
        fate = (outcome.will_retry, outcome.failure_transport, outcome.delay)
        self.events.dispatch(WorkerMessageFailed(message.envelope, message.transport.name, error, *fate))


def run_handlers(
    application: Application,
    message: InFlightMessage,
    settle: Callable[[Exception | None], None],
    bus_name: str | None = None,
) -> tuple[bool, Exception | None]:
    """Handle a received message, unless it cannot be decoded or seems to end its workers.

    Args:
        application: The application.
        message: The message.
        settle: Called by a batch handler once it is done with the message, with None or with what went wrong.
        bus_name: The bus that handles it, whatever its stamps say.

    Returns:
        True when all handlers are done with the message, and what went wrong.
    """
    if message.deliveries > 1:
        limit = application.max_deliveries(message.transport.name)
        if 0 < limit < message.deliveries:  # its transport has not read it
            why = "it seems to end its workers, or takes longer than their stop deadline"
            return True, MessageKillsWorkers(f"handed out {limit} times and never settled: {why}")
    if isinstance(message.envelope.message, UndecodableMessage):
        return True, MessageDecodingFailed(message.envelope.message.reason)
    received = message.envelope.with_stamps(ReceivedStamp(message.transport.name), AckStamp(settle))
    try:
        with ForksEnd():
            handled = application.dispatch_received(received, bus_name)
    except BaseException as error:
        return True, as_failure(error, "a middleware")
    return NoAutoAckStamp not in map(type, handled.stamps), None


def stop_asked_for(error: Exception) -> StopWorker | None:
    """Return the StopWorker that a handler raised, if one did."""
    return next((cause for cause in causes(error) if isinstance(cause, StopWorker)), None)


def about(message: InFlightMessage) -> str:
    """Return the message's own id for the log, and how often it was handed out when it may have run before."""
    text = ""
    for stamp in message.envelope.stamps:
        if isinstance(stamp, MessageIdsStamp):
            text = f" message_id={stamp.message_id}"
    return f"{text} delivery={message.deliveries}" if message.deliveries > 1 else text


def log_failure(message: InFlightMessage, error: Exception, outcome: FailureOutcome) -> None:
    """Log what became of a message that failed."""
    why = printable_line(error, _LONGEST_ERROR)
    what = f"transport={message.transport.name} id={message.id} type={message.type}{about(message)}"
    if not outcome.is_attempt:
        log.warning("message_put_back %s: something its handler needs is away: %s", what, why)
    elif outcome.will_retry:
        log.warning("message_retried %s delay_ms=%d: %s", what, outcome.delay, why)
    elif outcome.failure_transport is not None:
        log.error("message_failed %s kept_in=%s: %s", what, outcome.failure_transport, why, exc_info=error)
    else:
        log.critical("message_discarded %s (failure_transport is null): %s", what, why, exc_info=error)
