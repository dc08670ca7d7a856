"""--limit, --failure-limit, --memory-limit and --time-limit: each a listener that asks the worker to stop.

They are looked at between messages: a message is always finished.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from messenger.events import EventDispatcher, WorkerMessageFailed, WorkerRunning
from messenger.worker.status import WorkerStatus
from messenger.worker.stop import StopRequest


@dataclass(frozen=True, slots=True)
class Limits:
    """None: no limit.

    messages: handled and failed ones together. failures: failed attempts.
    memory: bytes, measured with every heartbeat. seconds: since the start.
    """

    messages: int | None = None
    failures: int | None = None
    memory: int | None = None
    seconds: float | None = None

    def listen(self, events: EventDispatcher, status: WorkerStatus, stop: StopRequest) -> None:
        """Watch a worker and stop it when a limit is reached."""
        if self.messages is not None:
            limit = self.messages
            _watch(events, stop, lambda: status.taken >= limit, f"limit of {limit} messages")
        if self.memory is not None:
            memory = self.memory
            _watch(events, stop, lambda: status.memory_bytes > memory, f"memory limit of {memory} bytes")
        if self.seconds is not None:
            seconds = self.seconds
            _watch(events, stop, lambda: status.uptime >= seconds, f"time limit of {seconds:g} s")
        if self.failures is not None:
            failures = self.failures

            def on_failure(_: WorkerMessageFailed) -> None:
                if status.failed >= failures:
                    stop.request(f"limit of {failures} failures", is_limit=True)

            events.listen(WorkerMessageFailed, on_failure)


def _watch(events: EventDispatcher, stop: StopRequest, reached: Callable[[], bool], reason: str) -> None:
    def on_running(_: WorkerRunning) -> None:
        if reached():
            stop.request(reason, is_limit=True)

    events.listen(WorkerRunning, on_running)
