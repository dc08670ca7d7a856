"""The worker: put together from its parts, from its start to its end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from messenger.application import Application
from messenger.control import HEARTBEAT_SECONDS
from messenger.errors import TransportError
from messenger.events import EventDispatcher, WorkerBeat, WorkerRunning, WorkerStarted, WorkerStopped
from messenger.worker.backoff import Backoff
from messenger.worker.beat import Beat, Step
from messenger.worker.deadline import StopDeadline
from messenger.worker.leases import Leases
from messenger.worker.loop import Loop
from messenger.worker.memory import Memory
from messenger.worker.options import WorkerOptions
from messenger.worker.registration import Registration
from messenger.worker.reply import Replies
from messenger.worker.settle import Settlement
from messenger.worker.source import Source
from messenger.worker.status import WorkerStatus
from messenger.worker.stop import SignalHandlers, StopRequest

log = logging.getLogger(__name__)


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
        for failure_transport in {application.failure_transports[name] for name in names} - {None}:
            application.transport(str(failure_transport))  # if it cannot be made, say so before a message is in hand
        self.status = WorkerStatus(
            application.worker_id, application.host, pool, process, application.release, tuple(names)
        )
        settlement = Settlement(application, self.status, self.events, self.stop, options.bus_name)
        self._loop = Loop(application, self._sources, settlement, self.status, self.stop, options)
        self._memory = Memory(self.status)
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
        steps: list[Step] = [Leases(self.status, keepalive).renew, self._tell_what_is_held, self._memory.measure]
        if self._registration is not None:
            steps.append(self._registration.report)
        if self._options.stop_deadline is None:
            return Beat(steps, interval, self.stop, lambda: float("inf"))
        deadline = StopDeadline(self._options.stop_deadline, self.status, self.stop, self._leave)
        return Beat([*steps, deadline.look], interval, self.stop, deadline.at)

    def _tell_what_is_held(self) -> None:
        self.events.dispatch(WorkerBeat(tuple(held.envelope for held in self.status.held)))

    def _leave(self) -> None:
        if self._registration is not None:
            self._registration.leave()

    def run(self) -> int:
        """Work until a limit, a signal or stop-workers. Returns the exit code, 1 when a message was left behind.

        A message that was begun is finished and settled first.
        """
        with SignalHandlers(self.stop):
            try:
                self._memory.measure()
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
                self._loop.hand_back()
                self._application.close()

    def _consume(self) -> None:
        self.status.enter("idle")
        log.info("worker_started id=%s release=%s transports=%s", self.status.worker_id, self.status.release,
                 ",".join(self.status.transports))  # fmt: skip
        self.events.dispatch(WorkerStarted(self.status.transports))
        while not self.stop.requested:
            idle = not self._loop.turn()
            self.events.dispatch(WorkerRunning(idle))

    def _finish(self) -> int:
        reason = self.stop.reason or "-"
        self.status.enter("stopping")
        all_settled = self._loop.finish()
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

    def _wait_for(self, connect: Callable[[], None]) -> None:
        """Do a start-up step, waiting for its server as long as it takes and saying so (R54)."""
        backoff = Backoff()
        while not self.stop.requested:
            try:
                connect()
            except TransportError as error:
                self.status.pause_for(error, backoff.next(), self.stop)
            else:
                return
