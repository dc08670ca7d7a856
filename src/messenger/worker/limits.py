"""The limits of a worker (--limit, --failure-limit, --memory-limit, --time-limit) and its --min-uptime.

Limits are checked between messages: a message is always finished.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from messenger.events import EventDispatcher, WorkerMessageFailed, WorkerRunning, WorkerStopped
from messenger.worker.heartbeat import Step
from messenger.worker.status import WorkerStatus
from messenger.worker.stop import StopRequest

_SLICE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits at which a worker stops. None means no limit.

    Attributes:
        messages: Number of messages, handled and failed ones together.
        failures: Number of failed attempts.
        memory: Bytes, measured at every heartbeat.
        seconds: Seconds since the start.
        min_uptime: Seconds that a worker lives at least before it ends by a limit or stop-workers, so that Supervisor's
            `startsecs` does not take it for a failed start.
    """

    messages: int | None = None
    failures: int | None = None
    memory: int | None = None
    seconds: float | None = None
    min_uptime: float = 0.0

    def listen(self, events: EventDispatcher, status: WorkerStatus, stop: StopRequest) -> list[Step]:
        """Watch a worker and stop it when a limit is reached.

        Returns:
            Tasks for its heartbeat, which do the same while it waits for a server.
        """
        steps: list[Step] = []
        if self.messages is not None:
            limit = self.messages
            _watch(events, stop, lambda: status.taken >= limit, f"limit of {limit} messages")
        if self.memory is not None:
            memory = self.memory
            stop_by_memory = _watch(
                events, stop, lambda: status.memory_bytes > memory, f"memory limit of {memory} bytes"
            )
            steps.append(lambda: _between_messages(status, stop_by_memory))
        if self.seconds is not None:
            seconds = self.seconds
            stop_by_time = _watch(events, stop, lambda: status.uptime >= seconds, f"time limit of {seconds:g} s")
            steps.append(lambda: _between_messages(status, stop_by_time))
        if self.failures is not None:
            failures = self.failures

            def on_failure(_: WorkerMessageFailed) -> None:
                if status.failed >= failures:
                    stop.request(f"limit of {failures} failures", is_limit=True)

            events.listen(WorkerMessageFailed, on_failure)
        if self.min_uptime:
            events.listen(WorkerStopped, lambda _: _wait_out(self.min_uptime, status, stop))
        return steps


def _wait_out(min_uptime: float, status: WorkerStatus, stop: StopRequest) -> None:
    """Wait until the minimum uptime is over or a signal comes.

    No message is in flight any more: the stop deadline is counted from the end of the wait.
    """
    stop.requested_at = float("inf")
    while not stop.signals and (left := min_uptime - status.uptime) > 0:
        time.sleep(min(left, _SLICE_SECONDS))
    stop.requested_at = time.monotonic()


def _watch(events: EventDispatcher, stop: StopRequest, reached: Callable[[], bool], reason: str) -> Step:
    def look() -> None:
        if reached():
            stop.request(reason, is_limit=True)

    events.listen(WorkerRunning, lambda _: look())
    return look


def _between_messages(status: WorkerStatus, look: Step) -> None:
    """Check a limit unless a message is being handled: the stop deadline would start before it is finished."""
    if status.current is None:
        look()


class Memory:
    """Records the memory use in the worker's status. Measuring takes milliseconds, so the heartbeat does it."""

    def __init__(self, status: WorkerStatus) -> None:
        self._status = status
        self._process = psutil.Process()

    def measure(self) -> None:
        """Record the resident bytes of this process and its children."""
        total = int(self._process.memory_info().rss)
        for child in self._process.children(recursive=True):
            try:
                total += int(child.memory_info().rss)
            except psutil.Error:
                continue  # it ended meanwhile
        self._status.memory_bytes = total
