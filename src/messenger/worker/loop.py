"""The worker's loop: take a message, have it handled, settle it, look whether to stop."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from messenger.application import Application
from messenger.envelope import AnyEnvelope
from messenger.errors import MessageDecodingFailed, MessageKillsWorkers, StopWorker, TransportError, causes
from messenger.events import (
    EventDispatcher,
    WorkerMessageFailed,
    WorkerMessageHandled,
    WorkerMessageReceived,
    WorkerRunning,
    WorkerStarted,
    WorkerStopped,
)
from messenger.failure import FailureHandling, Outcome
from messenger.messages import wire_name
from messenger.stamps import DeliveryStamp, MessageIdsStamp, ReceivedStamp
from messenger.transports.base import Transport
from messenger.wire.serializer import UndecodableMessage
from messenger.worker.backoff import Backoff
from messenger.worker.beat import Beat
from messenger.worker.handover import Handovers
from messenger.worker.limits import Limits
from messenger.worker.reply import Replies
from messenger.worker.status import Held, WorkerStatus
from messenger.worker.stop import SignalHandlers, StopRequest

log = logging.getLogger(__name__)
_SHARED_WAIT_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How a worker runs.

    sleep: seconds to wait for a message before looking at the limits again.
    min_uptime: seconds a worker lives at least before it leaves by a limit or stop-workers, so that Supervisor's
    `startsecs` does not take it for a failed start.
    """

    limits: Limits = field(default_factory=Limits)
    sleep: float = 1.0
    min_uptime: float = 0.0


class Worker:
    """Consumes transports in the order given: an earlier one is always served first.

    events: listeners of the application may be added before `run`.
    """

    def __init__(
        self,
        application: Application,
        names: Sequence[str],
        options: WorkerOptions,
        *,
        pool: str = "",
        process: str = "",
    ) -> None:
        self.events = EventDispatcher()
        self.stop = StopRequest()
        self._application = application
        application.check_handlers()
        self._options = options
        self._transports = [application.transport(name) for name in names]
        for failure_transport in {application.failure_transports[name] for name in names} - {None}:
            application.transport(str(failure_transport))  # if it cannot be made, say so before a message is in hand
        self._failures = FailureHandling(
            application.retry_strategies(), application.failure_transports, application.transport
        )
        self.status = WorkerStatus(
            application.worker_id, application.host, pool, process, application.release, tuple(names)
        )
        self._not_before: dict[str, float] = {}
        self._away: dict[str, str] = {}
        self._handovers = Handovers(self.status)
        self._backoffs = {name: Backoff() for name in names}
        self._beat = self._make_beat()
        options.limits.listen(self.events, self.status, self.stop)
        control = application.control()
        if control is not None:
            Replies(control, application.worker_id).listen(self.events)

    def _make_beat(self) -> Beat:
        shortest = min(transport.keepalive_interval for transport in self._transports)
        return Beat(self.status, self.stop, self._application.control(), shortest)

    # --- life ------------------------------------------------------------------------------------------------------

    def run(self) -> int:
        """Work until a limit, a signal or stop-workers. Returns the exit code: 0, or 1 when a message was left behind.

        A message that was begun is finished and settled first.
        """
        with SignalHandlers(self.stop):
            try:
                self._wait_for(self._beat.connect)
                self._beat.start()
                for transport in self._transports:
                    self._wait_for(transport.setup)
                self._consume()
                return self._finish()
            finally:
                self._beat.end()
                self._application.close()

    def _consume(self) -> None:
        self._set_state("idle")
        log.info("worker_started id=%s release=%s transports=%s", self.status.worker_id, self.status.release,
                 ",".join(self.status.transports))  # fmt: skip
        self.events.dispatch(WorkerStarted(self.status.transports))
        while not self.stop.requested:
            idle = not self._one_turn()
            self.events.dispatch(WorkerRunning(idle))

    def _finish(self) -> int:
        reason = self.stop.reason or "-"
        self._set_state("stopping")
        all_settled = self._handovers.finish()
        self.stop.pause(self._options.min_uptime - self.status.uptime, only_for_signals=True)
        self.events.dispatch(WorkerStopped(reason))
        log.info("worker_stopped reason=%r handled=%d failed=%d", reason, self.status.handled, self.status.failed)
        return 0 if all_settled else 1

    def _wait_for(self, connect: Callable[[], None]) -> None:
        """Do a start-up step, waiting for its server as long as it takes and saying so (R54)."""
        backoff = Backoff()
        while not self.stop.requested:
            try:
                connect()
            except TransportError as error:
                self._pause_for(error, backoff.next())
            else:
                return

    def _pause_for(self, error: TransportError, seconds: float) -> None:
        self._set_state("waiting", str(error))
        log.warning("waiting_for %s: next try in %.1f s", error, seconds)
        self.stop.pause(seconds)

    def _set_state(self, state: str, waiting_for: str | None = None) -> None:
        self.status.waiting_for = waiting_for
        self.status.state = state

    def _set_idle(self) -> None:
        """No handler runs: idle, or waiting for a server that is away."""
        waiting_for = self._handovers.waiting_for or next(iter(self._away.values()), None)
        self._set_state("idle" if waiting_for is None else "waiting", waiting_for)

    # --- taking ----------------------------------------------------------------------------------------------------

    def _one_turn(self) -> bool:
        """Take and handle one message from the first transport that has one. False when none had."""
        self._handovers.try_due()
        ready = [transport for transport in self._transports if self._may_take(transport.name)]
        if not ready:
            self._pause_until_one_may()
            return False
        for transport in ready:
            wait = self._options.sleep if transport is ready[-1] else 0.0
            if len(self._transports) > 1:
                wait = min(wait, _SHARED_WAIT_SECONDS)
            envelopes = self._take(transport, wait)
            for envelope in envelopes:
                self._handle(transport, envelope)
            if envelopes or self.stop.requested:
                return bool(envelopes)
        return False

    def _may_take(self, name: str) -> bool:
        return self._not_before.get(name, 0.0) <= time.monotonic() and not self._handovers.is_open(name)

    def _pause_until_one_may(self) -> None:
        names = self.status.transports
        soonest = min(max(self._not_before.get(name, 0.0), self._handovers.next_try(name)) for name in names)
        self.stop.pause(min(max(soonest - time.monotonic(), 0.0), self._options.sleep))

    def _take(self, transport: Transport, wait: float) -> Sequence[AnyEnvelope]:
        backoff = self._backoffs[transport.name]
        try:
            envelopes = transport.get(wait, self.stop.is_requested)
        except TransportError as error:
            seconds = backoff.next()
            self._not_before[transport.name] = time.monotonic() + seconds
            self._away[transport.name] = str(error)
            self._set_idle()
            log.warning("waiting_for %s: next try in %.1f s", error, seconds)
            return ()
        if transport.name in self._not_before:
            del self._not_before[transport.name], self._away[transport.name]
            backoff.reset()
            log.info("back transport=%s", transport.name)
            self._set_idle()
        return envelopes

    # --- handling --------------------------------------------------------------------------------------------------

    def _handle(self, transport: Transport, envelope: AnyEnvelope) -> None:
        held = Held(transport, envelope, envelope.id or "-", _type(envelope), time.monotonic())
        self.status.take_up(held)
        self._set_state("busy")
        self.events.dispatch(WorkerMessageReceived(envelope, transport.name))
        error = run_handlers(self._application, transport, envelope)
        if error is None:
            self._settle_success(held)
        else:
            self._stop_when_asked(error)
            self._settle_failure(held, error)
        self._set_idle()

    def _stop_when_asked(self, error: Exception) -> None:
        stop = stop_asked_for(error)
        if stop is not None:
            self.stop.request(str(stop))

    def _settle_success(self, held: Held) -> None:
        milliseconds = (time.monotonic() - held.since) * 1000

        def then() -> None:
            self.status.handled += 1
            log.info("message_handled transport=%s id=%s type=%s ms=%.1f%s", held.transport.name, held.id, held.type,
                     milliseconds, _more(held.envelope))  # fmt: skip
            self.events.dispatch(WorkerMessageHandled(held.envelope, held.transport.name, milliseconds))

        self._handovers.settle(held, lambda: held.transport.ack(held.envelope), then)

    def _settle_failure(self, held: Held, error: Exception) -> None:
        outcomes: list[Outcome] = []

        def then() -> None:
            outcome = outcomes[-1]
            self.status.failed += 1
            _log_failure(held, error, outcome)
            name, kept_in = held.transport.name, outcome.failure_transport
            self.events.dispatch(WorkerMessageFailed(held.envelope, name, error, outcome.will_retry, kept_in))

        def hand_over() -> None:
            outcomes.append(self._failures.settle(held.transport, held.envelope, error))

        self._handovers.settle(held, hand_over, then)


def run_handlers(application: Application, transport: Transport, envelope: AnyEnvelope) -> Exception | None:
    """Handle what a transport gave, unless it cannot be read or seems to end its workers. Returns what went wrong."""
    if isinstance(envelope.message, UndecodableMessage):
        return MessageDecodingFailed(envelope.message.reason)
    stamp = envelope.last(DeliveryStamp)
    limit = application.max_deliveries(transport.name)
    if limit and stamp is not None and stamp.count > limit:
        return MessageKillsWorkers(f"handed out {limit} times and never settled: it seems to end its workers")
    try:
        application.dispatch_received(envelope.with_stamps(ReceivedStamp(transport.name)))
    except Exception as error:
        return error
    return None


def stop_asked_for(error: Exception) -> StopWorker | None:
    """The StopWorker a handler raised, if one did."""
    return next((cause for cause in causes(error) if isinstance(cause, StopWorker)), None)


def _type(envelope: AnyEnvelope) -> str:
    if isinstance(envelope.message, UndecodableMessage):
        return envelope.message.headers.get("type", "undecodable")
    return wire_name(type(envelope.message))


def _more(envelope: AnyEnvelope) -> str:
    """For the log: the message's own id, and how often it was handed out when it may have run before."""
    ids = envelope.last(MessageIdsStamp)
    text = f" message_id={ids.message_id}" if ids is not None else ""
    stamp = envelope.last(DeliveryStamp)
    return text + (f" delivery={stamp.count}" if stamp is not None and stamp.count > 1 else "")


def _log_failure(held: Held, error: Exception, outcome: Outcome) -> None:
    what = f"transport={held.transport.name} id={held.id} type={held.type}{_more(held.envelope)}"
    if outcome.will_retry:
        log.warning("message_retried %s delay_ms=%d: %s", what, outcome.delay, error)
    elif outcome.failure_transport is not None:
        log.error("message_failed %s kept_in=%s: %s", what, outcome.failure_transport, error, exc_info=error)
    else:
        log.critical("message_discarded %s (failure_transport is null): %s", what, error, exc_info=error)
