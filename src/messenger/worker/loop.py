"""The worker's loop: take messages, have them handled and settled, look whether to stop."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from messenger.application import Application
from messenger.control import HEARTBEAT_SECONDS
from messenger.envelope import AnyEnvelope
from messenger.errors import MessengerError, TransportError
from messenger.events import EventDispatcher, WorkerRunning, WorkerStarted, WorkerStopped
from messenger.worker.backoff import Backoff
from messenger.worker.beat import Beat, Step
from messenger.worker.deadline import StopDeadline
from messenger.worker.leases import Leases
from messenger.worker.limits import Limits
from messenger.worker.order import OrderName, make_order
from messenger.worker.registration import Registration
from messenger.worker.reply import Replies
from messenger.worker.settle import Settlement, message_type
from messenger.worker.source import Source
from messenger.worker.status import Held, WorkerStatus
from messenger.worker.stop import SignalHandlers, StopRequest
from messenger.worker.waiting import wait_for_any

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How a worker runs.

    sleep: seconds to wait for a message before looking at the limits again.
    min_uptime: seconds a worker lives at least before it leaves by a limit or stop-workers, so that Supervisor's
    `startsecs` does not take it for a failed start.
    order: which transport is served first. fetch_size: how many messages are taken at once from one transport.
    bus_name: handle everything on this bus. reset: whether to call the application's reset hooks.
    keepalive: seconds between two renewals of a lease at most; None: as often as the transport asks for.
    stop_deadline: seconds after a stop request until the messages in hand are handed back; None: never.
    exit_on_limit: the exit code when one of the limits ended the worker (R52).
    """

    limits: Limits = field(default_factory=Limits)
    sleep: float = 1.0
    min_uptime: float = 0.0
    order: OrderName = "strict"
    fetch_size: int = 1
    bus_name: str | None = None
    reset: bool = True
    keepalive: float | None = None
    stop_deadline: float | None = None
    exit_on_limit: int = 0


class Worker:
    """Consumes transports.

    events: listeners for this worker may be added before `run`; those of the application are called too.
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
        self.events = EventDispatcher(application.events)
        self.stop = StopRequest()
        self._application = application
        application.check_handlers()
        self._options = options
        self._sources = [self._make_source(name) for name in names]
        self._order = make_order(options.order, self._sources)
        for failure_transport in {application.failure_transports[name] for name in names} - {None}:
            application.transport(str(failure_transport))  # if it cannot be made, say so before a message is in hand
        self.status = WorkerStatus(
            application.worker_id, application.host, pool, process, application.release, tuple(names)
        )
        self._settlement = Settlement(application, self.status, self.events, self.stop, options.bus_name)
        self._handovers = self._settlement.handovers
        self._taken: list[Held] = []
        self._resources = Backoff()
        self._registration = self._register()
        self._beat = self._make_beat()
        options.limits.listen(self.events, self.status, self.stop)

    def _make_source(self, name: str) -> Source:
        transport, weight = self._application.transport(name), self._application.weight(name)
        limiter = self._application.rate_limiter(name)
        if limiter is None:
            return Source(transport, weight)
        from messenger.rate_limit.source import limited_source

        return limited_source(transport, weight, limiter, self.events)

    def _register(self) -> Registration | None:
        control, for_beat = self._application.control(), self._application.control()
        if control is None or for_beat is None:
            return None
        Replies(control, self._application.worker_id).listen(self.events)
        return Registration(for_beat, self.status, self.stop)

    def _make_beat(self) -> Beat:
        """It beats four times in the shortest lease, and every second for the registry and the memory limit."""
        keepalive = self._options.keepalive if self._options.keepalive is not None else float("inf")
        interval = min([HEARTBEAT_SECONDS, keepalive, *(s.transport.keepalive_interval for s in self._sources)])
        steps: list[Step] = [Leases(self.status, keepalive).renew, self.status.measure]
        if self._registration is not None:
            steps.append(self._registration.report)
        if self._options.stop_deadline is None:
            return Beat(steps, interval, self.stop, lambda: float("inf"))
        deadline = StopDeadline(self._options.stop_deadline, self.status, self.stop, self._leave)
        return Beat([*steps, deadline.look], interval, self.stop, deadline.at)

    def _leave(self) -> None:
        if self._registration is not None:
            self._registration.leave()

    # --- life ------------------------------------------------------------------------------------------------------

    def run(self) -> int:
        """Work until a limit, a signal or stop-workers. Returns the exit code, 1 when a message was left behind.

        A message that was begun is finished and settled first.
        """
        with SignalHandlers(self.stop):
            try:
                self.status.measure()
                if self._registration is not None:
                    self._wait_for(self._registration.connect)
                self._beat.start()
                for source in self._sources:
                    self._wait_for(source.transport.setup)
                self._consume()
                return self._finish()
            finally:
                self._beat.end()
                self._leave()
                self._hand_back()
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
        self._application.batches.flush(force=True)
        all_settled = self._handovers.finish()
        if self._options.reset:
            self._application.reset()
        self._wait_out_min_uptime()
        self.events.dispatch(WorkerStopped(reason))
        log.info("worker_stopped reason=%r handled=%d failed=%d", reason, self.status.handled, self.status.failed)
        if not all_settled:
            return 1
        return self._options.exit_on_limit if self.stop.is_limit else 0

    def _wait_out_min_uptime(self) -> None:
        """Nothing is in hand any more: the stop deadline counts what comes after the wait."""
        seconds = self._options.min_uptime - self.status.uptime
        if seconds > 0:
            self.stop.requested_at = float("inf")
            self.stop.pause(seconds, only_for_signals=True)
            self.stop.requested_at = time.monotonic()

    def _hand_back(self) -> None:
        """What was taken and not begun is free again at once; the beat has ended, so its connections may be used."""
        for held in self._taken:
            try:
                held.transport.hand_back(held.envelope)
            except MessengerError as error:
                log.warning("not_handed_back transport=%s id=%s: %s", held.transport.name, held.id, error)

    # --- waiting ---------------------------------------------------------------------------------------------------

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

    def _pause_for(self, error: Exception, seconds: float) -> None:
        self._set_state("waiting", str(error))
        log.warning("waiting_for %s: next try in %.1f s", error, seconds)
        self.stop.pause(seconds)

    def _set_state(self, state: str, waiting_for: str | None = None) -> None:
        self.status.waiting_for = waiting_for
        self.status.state = state

    def _set_idle(self) -> None:
        """No handler runs: idle, or waiting for a server that is away."""
        away = next((source.away for source in self._sources if source.away is not None), None)
        waiting_for = self._handovers.waiting_for or away
        self._set_state("idle" if waiting_for is None else "waiting", waiting_for)

    # --- taking ----------------------------------------------------------------------------------------------------

    def _one_turn(self) -> bool:
        """Take and handle messages of the first transport that has some. False when none had."""
        self._handovers.try_due()
        if self._application.batches.flush():
            self._after_messages()
        ready = [source for source in self._order.next() if self._may_take(source)]
        for source in ready:
            envelopes = source.take(0.0, self.stop.is_requested, self._room())
            if envelopes:
                self._handle_all([(source, envelope) for envelope in envelopes])
                return True
            if self.stop.requested:
                return False
        self._set_idle()
        ready = [source for source in ready if source.may_be_asked()]  # a server is away, or there is no token
        seconds = self._seconds_to_wait(ready)
        if not ready:
            self.stop.pause(seconds)
            return False
        taken = wait_for_any(ready, seconds, self.stop, self._room())
        self._handle_all(taken)
        return bool(taken)

    def _may_take(self, source: Source) -> bool:
        return source.may_be_asked() and not self._handovers.is_open(source.name)

    def _room(self) -> int:
        """How many messages may be taken at once: not more than --limit leaves."""
        limit = self._options.limits.messages
        left = self._options.fetch_size if limit is None else limit - self.status.taken
        return max(1, min(self._options.fetch_size, left))

    def _seconds_to_wait(self, ready: Sequence[Source]) -> float:
        """Until something is to be done besides taking what comes, `sleep` at most."""
        moments = [max(s.not_before, self._handovers.next_try(s.name)) for s in self._sources if s not in ready]
        due = self._application.batches.next_due
        if due is not None:
            moments.append(due)
        return min([self._options.sleep, *(max(moment - time.monotonic(), 0.0) for moment in moments)])

    # --- handling --------------------------------------------------------------------------------------------------

    def _handle_all(self, taken: Sequence[tuple[Source, AnyEnvelope]]) -> None:
        self._taken = [self._take_up(source, envelope) for source, envelope in taken]
        while self._taken and not self.stop.requested:
            held = self._taken.pop(0)
            self.status.current = held
            self._set_state("busy")
            self._settlement.handle(held)
            self._application.batches.flush()
            self.status.current = None
            self._set_idle()
            self._after_messages()
        for source in {id(source): source for source, _ in taken}.values():
            self._order.served(source)

    def _take_up(self, source: Source, envelope: AnyEnvelope) -> Held:
        held = Held(source.transport, envelope, envelope.id or "-", message_type(envelope), time.monotonic())
        self.status.take_up(held)
        return held

    def _after_messages(self) -> None:
        """Make whole what handlers share; while that fails, or right after they missed something, wait (R61)."""
        trouble, self._settlement.trouble = self._settlement.trouble, None
        failed = self._application.reset() if self._options.reset else None
        if trouble is None and failed is None:
            self._resources.reset()
        while (error := trouble or failed) is not None and not self.stop.requested:
            self._pause_for(error, self._resources.next())
            trouble, failed = None, self._application.reset() if self._options.reset else None
        self._set_idle()
