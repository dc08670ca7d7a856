"""The worker's loop: take a message, have it handled, settle it, look whether to stop."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from messenger.application import Application
from messenger.envelope import AnyEnvelope
from messenger.errors import HandlerFailed, MessageDecodingFailed, StopWorker, TransportError
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
from messenger.stamps import DeliveryStamp, ReceivedStamp
from messenger.transports.base import Transport
from messenger.wire.serializer import UndecodableMessage
from messenger.worker.backoff import Backoff
from messenger.worker.beat import Beat
from messenger.worker.limits import Limits
from messenger.worker.reply import Replies
from messenger.worker.status import Held, WorkerStatus
from messenger.worker.stop import SignalHandlers, StopRequest

log = logging.getLogger(__name__)
_SHARED_WAIT_SECONDS = 0.1
_LAST_TRIES_SECONDS = 5.0


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
        self.stop.pause(self._options.min_uptime - self.status.uptime, only_for_signals=True)
        left_behind = self.status.held is not None
        self.events.dispatch(WorkerStopped(reason))
        log.info("worker_stopped reason=%r handled=%d failed=%d", reason, self.status.handled, self.status.failed)
        return 1 if left_behind else 0

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

    # --- taking ----------------------------------------------------------------------------------------------------

    def _one_turn(self) -> bool:
        """Take and handle one message from the first transport that has one. False when none had."""
        ready = [t for t in self._transports if self._not_before.get(t.name, 0.0) <= time.monotonic()]
        if not ready:
            soonest = min(self._not_before.values()) - time.monotonic()
            self.stop.pause(min(max(soonest, 0.0), self._options.sleep))
            return False
        for transport in ready:
            is_last = transport is ready[-1]
            wait = 0.0 if not is_last else self._options.sleep
            if len(self._transports) > 1:
                wait = min(wait, _SHARED_WAIT_SECONDS)
            envelopes = self._take(transport, wait)
            for envelope in envelopes:
                self._handle(transport, envelope)
            if envelopes or self.stop.requested:
                return bool(envelopes)
        return False

    def _take(self, transport: Transport, wait: float) -> Sequence[AnyEnvelope]:
        backoff = self._backoffs[transport.name]
        try:
            envelopes = transport.get(wait, self.stop.is_requested)
        except TransportError as error:
            seconds = backoff.next()
            self._not_before[transport.name] = time.monotonic() + seconds
            self._set_state("waiting", str(error))
            log.warning("waiting_for %s: next try in %.1f s", error, seconds)
            return ()
        if transport.name in self._not_before:
            del self._not_before[transport.name]
            backoff.reset()
            log.info("back transport=%s", transport.name)
            if not self._not_before:
                self._set_state("idle")
        return envelopes

    # --- handling --------------------------------------------------------------------------------------------------

    def _handle(self, transport: Transport, envelope: AnyEnvelope) -> None:
        held = Held(transport, envelope, envelope.id or "-", _type(envelope), time.monotonic())
        self.status.held = held
        self._set_state("busy")
        self.events.dispatch(WorkerMessageReceived(envelope, transport.name))
        error = self._run_handlers(transport, envelope)
        milliseconds = (time.monotonic() - held.since) * 1000
        settled = self._on_success(held, milliseconds) if error is None else self._on_failure(held, error)
        if settled:
            self.status.held = None
            self._set_state("idle")

    def _run_handlers(self, transport: Transport, envelope: AnyEnvelope) -> Exception | None:
        if isinstance(envelope.message, UndecodableMessage):
            return MessageDecodingFailed(envelope.message.reason)
        try:
            self._application.dispatch_received(envelope.with_stamps(ReceivedStamp(transport.name)))
        except Exception as error:
            self._stop_when_asked(error)
            return error
        return None

    def _stop_when_asked(self, error: Exception) -> None:
        causes = error.errors.values() if isinstance(error, HandlerFailed) else [error]
        for cause in causes:
            if isinstance(cause, StopWorker):
                self.stop.request(str(cause))

    def _on_success(self, held: Held, milliseconds: float) -> bool:
        if not self._settle(held, lambda: held.transport.ack(held.envelope)):
            return False
        self.status.handled += 1
        log.info("message_handled transport=%s id=%s type=%s ms=%.1f%s", held.transport.name, held.id, held.type,
                 milliseconds, _delivery(held.envelope))  # fmt: skip
        self.events.dispatch(WorkerMessageHandled(held.envelope, held.transport.name, milliseconds))
        return True

    def _on_failure(self, held: Held, error: Exception) -> bool:
        outcomes: list[Outcome] = []
        if not self._settle(held, lambda: outcomes.append(self._failures.settle(held.transport, held.envelope, error))):
            return False
        outcome = outcomes[0]
        self.status.failed += 1
        _log_failure(held, error, outcome)
        self.events.dispatch(
            WorkerMessageFailed(
                held.envelope, held.transport.name, error, outcome.will_retry, outcome.failure_transport
            )
        )
        return True

    def _settle(self, held: Held, action: Callable[[], object]) -> bool:
        """Do the hand-over, again and again while a store is away: the message stays held and its lease renewed (R30).

        False when a stop was requested meanwhile and the store did not come back: the message stays pending, and is
        handed out again once its lease has run out.
        """
        backoff = Backoff()
        give_up_at: float | None = None
        while True:
            try:
                action()
            except TransportError as error:
                if self.stop.requested:
                    give_up_at = give_up_at or time.monotonic() + _LAST_TRIES_SECONDS
                    if time.monotonic() >= give_up_at:
                        log.error("left_pending transport=%s id=%s: %s", held.transport.name, held.id, error)
                        return False
                seconds = min(backoff.next(), 1.0) if self.stop.requested else backoff.next()
                self._set_state("waiting", str(error))
                log.warning("not_settled transport=%s id=%s: %s: next try in %.1f s", held.transport.name, held.id,
                            error, seconds)  # fmt: skip
                time.sleep(seconds) if self.stop.requested else self.stop.pause(seconds)
            else:
                return True


def _type(envelope: AnyEnvelope) -> str:
    if isinstance(envelope.message, UndecodableMessage):
        return envelope.message.headers.get("type", "undecodable")
    return wire_name(type(envelope.message))


def _delivery(envelope: AnyEnvelope) -> str:
    """Says so when the message has been handed out before: it may have run already."""
    stamp = envelope.last(DeliveryStamp)
    return f" delivery={stamp.count}" if stamp is not None and stamp.count > 1 else ""


def _log_failure(held: Held, error: Exception, outcome: Outcome) -> None:
    what = f"transport={held.transport.name} id={held.id} type={held.type}{_delivery(held.envelope)}"
    if outcome.will_retry:
        log.warning("message_retried %s delay_ms=%d: %s", what, outcome.delay, error)
    elif outcome.failure_transport is not None:
        log.error("message_failed %s kept_in=%s: %s", what, outcome.failure_transport, error, exc_info=error)
    else:
        log.critical("message_discarded %s (failure_transport is null): %s", what, error, exc_info=error)
