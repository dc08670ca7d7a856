"""What a worker is doing now; written by the loop, read by the beat."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from messenger.control.control import Pause
from messenger.envelope import AnyEnvelope
from messenger.printable import SHORT, printable_line, text_of
from messenger.transports.base import Transport
from messenger.worker.stop import StopRequest

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A message in hand. since: monotonic seconds."""

    transport: Transport
    envelope: AnyEnvelope
    id: str
    type: str
    since: float


@dataclass(slots=True)
class WorkerStatus:
    """One worker's state. Each field is assigned whole, so the beat always sees a consistent value.

    held: every message in hand. fetched: those of them whose handlers were not called yet. current: the one whose
    handler runs. pause: no message is taken while it is there.
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
    held: tuple[Held, ...] = ()
    fetched: tuple[Held, ...] = ()
    current: Held | None = None
    handled: int = 0
    failed: int = 0
    memory_bytes: int = 0
    started: float = field(default_factory=time.monotonic)
    started_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def put_down(self, held: Held) -> None:
        """A message is settled."""
        self.held = tuple(item for item in self.held if item is not held)

    def enter(self, state: str, waiting_for: str | None = None) -> None:
        """The worker does this now, or waits for that."""
        self.waiting_for = waiting_for and printable_line(waiting_for, SHORT)
        self.state = state

    def pause_for(self, error: Exception, seconds: float, stop: StopRequest) -> None:
        """Wait for what is away, saying so; not on after a stop request."""
        self.enter("waiting", text_of(error))
        log.warning("waiting_for %s: next try in %.1f s", self.waiting_for, seconds)
        stop.pause(seconds)

    @property
    def taken(self) -> int:
        """How many messages were taken so far, those in hand included."""
        return self.handled + self.failed + len(self.held)

    @property
    def uptime(self) -> float:
        """Seconds since the worker started."""
        return time.monotonic() - self.started
