"""What a worker is doing now: written by its loop, read by its heartbeat."""

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
        id: The id that its transport gave it; "-" when it gave none.
        type: Its wire name, for people.
        deliveries: How often its transport has handed it out.
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
        """Make one of what a transport gave."""
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
    """One worker's state. Each field is assigned whole, so the heartbeat always sees a consistent value.

    Attributes:
        in_flight: Every message that was taken and not settled.
        fetched: Those of them whose handlers were not called yet.
        current: The one whose handlers run.
        pause: While it is there no message is taken.
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
        """Return the next of the fetched messages: its handlers are called now."""
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
        """Record what the worker does now, or what it waits for."""
        self.waiting_for = waiting_for and printable_line(waiting_for, SHORT)
        self.state = state

    def pause_for(self, error: Exception, seconds: float, stop: StopRequest) -> None:
        """Log and wait for what is unavailable, until a stop is requested at the latest."""
        self.enter("waiting", text_of(error))
        log.warning("waiting_for %s: next try in %.1f s", self.waiting_for, seconds)
        stop.pause(seconds)

    @property
    def taken(self) -> int:
        """How many messages were taken so far, those in flight included."""
        return self.handled + self.failed + len(self.in_flight)

    @property
    def uptime(self) -> float:
        """Seconds since the worker started."""
        return time.monotonic() - self.started
