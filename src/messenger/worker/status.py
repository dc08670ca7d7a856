"""The state of a worker: written by its loop, read by its heartbeat."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from messenger.control.plane import Pause
from messenger.envelope import AnyEnvelope
from messenger.messages import wire_name
from messenger.printable import SHORT, printable, printable_line, text_of
from messenger.stamps import DeliveryStamp, TransportMessageIdStamp
from messenger.transports.base import Transport
from messenger.wire.encoded import UndecodableMessage
from messenger.worker.stop import StopRequest

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class InFlightMessage:
    """A message that the worker has taken and not settled.

    Attributes:
        transport: The transport that it came from.
        envelope: The message as the transport delivered it.
        id: The id that its transport gave it; "-" without one.
        type: Its wire name, for display.
        deliveries: How often its transport has delivered it.
        since: Monotonic seconds when it was taken.
        began: Monotonic seconds when its first handler was called.
    """

    transport: Transport
    envelope: AnyEnvelope
    id: str
    type: str
    deliveries: int
    since: float
    began: float = 0.0

    @classmethod
    def of(cls, transport: Transport, envelope: AnyEnvelope) -> InFlightMessage:
        """Create one from a delivered message."""
        id_, deliveries = "-", 1
        for stamp in envelope.stamps:
            if isinstance(stamp, TransportMessageIdStamp):
                id_ = stamp.id
            elif isinstance(stamp, DeliveryStamp):
                deliveries = stamp.count
        if isinstance(envelope.message, UndecodableMessage):
            type_ = printable(envelope.message.headers.get("type", "undecodable"), SHORT)
        else:
            type_ = wire_name(type(envelope.message))
        return cls(transport, envelope, id_ or "-", type_, deliveries, time.monotonic())


@dataclass(slots=True)
class WorkerStatus:
    """The state of one worker. Each field is assigned whole, so that the heartbeat always sees a consistent value.

    Attributes:
        worker_id: Unique id of the worker.
        host: Name of its host.
        pool: Name of its pool; "" without one.
        process: Its name in Supervisor; "" without one.
        release: The release that it runs.
        transports: Names of the transports that it reads.
        state: What it does, such as "idle" or "busy".
        waiting_for: Why it waits; None while it does not.
        pause: The pause it obeys: no message is taken; None without one.
        in_flight: Every message that was taken and not settled.
        fetched: The messages in flight whose handlers were not called yet.
        current: The message whose handlers run.
        handled: Number of handled messages.
        failed: Number of failed attempts.
        memory_bytes: Resident memory, with child processes, at the last heartbeat.
        started: Monotonic seconds of the start.
        started_at: UTC time of the start, in ISO 8601.
    """

    worker_id: str
    host: str
    pool: str
    process: str
    release: str
    transports: tuple[str, ...]
    state: str = "starting"
    waiting_for: str | None = None
    pause: Pause | None = None
    in_flight: tuple[InFlightMessage, ...] = ()
    fetched: tuple[InFlightMessage, ...] = ()
    current: InFlightMessage | None = None
    handled: int = 0
    failed: int = 0
    memory_bytes: int = 0
    started: float = field(default_factory=time.monotonic)
    started_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def fetch(self, message: InFlightMessage) -> None:
        """Record a message that was taken."""
        self.fetched = (*self.fetched, message)
        self.in_flight = (*self.in_flight, message)

    def begin(self) -> InFlightMessage:
        """Make the next fetched message the current one, and return it."""
        message, *rest = self.fetched
        self.fetched = tuple(rest)
        self.current = message
        self.state, self.waiting_for = "busy", None
        return message

    def record_settled(self, message: InFlightMessage) -> None:
        """Record that a message is settled."""
        left = list(self.in_flight)
        left.remove(message)
        self.in_flight = tuple(left)

    def enter(self, state: str, waiting_for: str | None = None) -> None:
        """Record the state of the worker, and what it waits for."""
        self.waiting_for = waiting_for and printable_line(waiting_for, SHORT)
        self.state = state

    def pause_for(self, error: Exception, seconds: float, stop: StopRequest) -> None:
        """Log what is unavailable and wait; a stop request ends the wait.

        Args:
            error: Why the worker waits.
            seconds: How long.
            stop: The worker's stop request.
        """
        self.enter("waiting", text_of(error))
        log.warning("waiting_for %s: next try in %.1f s", self.waiting_for, seconds)
        stop.pause(seconds)

    @property
    def taken(self) -> int:
        """Number of messages taken so far, including those in flight."""
        return self.handled + self.failed + len(self.in_flight)

    @property
    def uptime(self) -> float:
        """Seconds since the worker started."""
        return time.monotonic() - self.started
