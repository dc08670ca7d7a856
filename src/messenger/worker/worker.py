"""The worker, assembled from its parts, from its start to its end."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextvars import copy_context

from messenger.application import Application
from messenger.errors import TransportError
from messenger.events import EventDispatcher, WorkerHeartbeat, WorkerRunning, WorkerStarted, WorkerStopped
from messenger.worker.heartbeat import Heartbeat, Leases, Step
from messenger.worker.loop import Loop
from messenger.worker.options import WorkerOptions
from messenger.worker.processing import MessageProcessor
from messenger.worker.receiver import Backoff, Receiver
from messenger.worker.release import release
from messenger.worker.status import WorkerStatus
from messenger.worker.stop import Signals, StopRequest

log = logging.getLogger(__name__)


class Worker:
    """Consumes transports.

    Attributes:
        application: The application.
        options: The options of the worker.
        events: Its event dispatcher. Listeners may be added before `run`; those of the application are called too.
        stop: Its stop request.
        status: Its state.
        heartbeat: Its heartbeat.
        at_start: Called before the first message, again while one raises TransportError.
        at_end: Called after the last message, before the application is closed.
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
        """Create a worker.

        Args:
            application: The application.
            names: Names of the transports to read, the first one has the highest priority.
            options: The options of the worker.
            pool: Name of its pool, for the registry.
            process: Its name in Supervisor, for the registry.

        Raises:
            ConfigError: A transport, its failure transport, or a handler cannot be used.
        """
        self.application = application
        self.options = options
        self.events = EventDispatcher(application.events)
        self.stop = StopRequest()
        self.at_start: list[Step] = []
        self.at_end: list[Step] = []
        application.check_handlers()
        receivers = [self._make_receiver(name) for name in names]
        for failure_transport in {application.failure_transports[name] for name in names} - {None}:
            application.transport(str(failure_transport))  # if it cannot be made, say so before a message is in flight
        self.status = WorkerStatus(
            application.worker_id, application.host, pool, process, application.release, tuple(names)
        )
        processor = MessageProcessor(application, self.status, self.events, self.stop, options.bus_name)
        self._loop = Loop(application, receivers, processor, self.status, self.stop, options)
        keepalive = options.keepalive if options.keepalive is not None else float("inf")
        # Four heartbeats per shortest lease, and at least one per second for the other tasks.
        interval = min([1.0, keepalive, *(receiver.transport.keepalive_interval for receiver in receivers)])
        self.heartbeat = Heartbeat([Leases(self.status, keepalive).renew, self._report_in_flight], interval, self.stop)
        self.heartbeat.steps += options.limits.listen(self.events, self.status, self.stop)
        self._setups = [receiver.transport.setup for receiver in receivers]

    def _make_receiver(self, name: str) -> Receiver:
        transport, weight = self.application.transport(name), self.application.weight(name)
        limiter = self.application.rate_limiter(name)
        if limiter is None:
            return Receiver(transport, weight)
        from messenger.worker.rate_limited_receiver import rate_limited_receiver

        return rate_limited_receiver(transport, weight, limiter, self.events)

    def _report_in_flight(self) -> None:
        self.events.dispatch(WorkerHeartbeat(tuple(message.envelope for message in self.status.in_flight)))

    def run(self) -> int:
        """Run until a limit, a signal or stop-workers ends the worker. A message that was begun is settled first.

        Returns:
            The exit code; 1 when a message was left pending.
        """
        with Signals(self.stop, self.application.config.stop_worker_on_signals) as signals:
            self.heartbeat.steps.append(signals.look)
            self.heartbeat.start()
            try:
                self._connect(self.at_start)
                self._connect(self._setups)
                self._consume(signals)
                return self._finish()
            finally:
                self.heartbeat.end()
                for step in self.at_end:
                    step()
                self._release()
                self.application.close()

    def _release(self) -> None:
        """Release the messages that were not begun or were interrupted by an exception. The heartbeat has ended."""
        current = self.status.current
        cut_off = [current] if current is not None and current in self.status.in_flight else []
        release(self.status, (*self.status.fetched, *cut_off))

    def _consume(self, signals: Signals) -> None:
        self.status.enter("idle")
        log.info(
            "worker_started id=%s release=%s transports=%s",
            self.status.worker_id,
            self.status.release,
            ",".join(self.status.transports),
        )
        self.events.dispatch(WorkerStarted(self.status.transports))
        while self.stop.reason is None:
            idle = not copy_context().run(self._loop.run_once)
            self.events.dispatch(WorkerRunning(idle))
            if signals.are_lost:
                signals.take_back()

    def _finish(self) -> int:
        reason = self.stop.reason or "-"
        self.status.enter("stopping")
        all_settled = self._loop.finish()
        self.events.dispatch(WorkerStopped(reason))
        log.info("worker_stopped reason=%r handled=%d failed=%d", reason, self.status.handled, self.status.failed)
        if not all_settled:
            return 1
        return self.options.exit_on_limit if self.stop.is_limit else 0

    def _connect(self, steps: Sequence[Step]) -> None:
        """Run tasks, each again until its server is available."""
        for step in steps:
            backoff = Backoff()
            while not self.stop.is_requested():
                try:
                    step()
                    break
                except TransportError as error:
                    self.status.pause_for(error, backoff.next(), self.stop)
