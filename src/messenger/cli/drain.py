"""messenger consume --stop-when-empty: run until no message is ready, with a progress bar."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from messenger.cli.terminal import Progress, say
from messenger.errors import TransportError
from messenger.events import WorkerRunning, WorkerStarted, WorkerStopped
from messenger.transports.base import Transport
from messenger.worker import Worker


class Drain:
    """Stops a worker after an iteration in which it received nothing and after which no message is ready."""

    def __init__(self, worker: Worker, transports: Sequence[Transport], *, show: bool) -> None:
        """Create it.

        Args:
            worker: The worker.
            transports: The transports that it reads.
            show: Show a progress bar, and print what was done at the end.
        """
        self._worker = worker
        self._transports = transports
        self._show = show
        self._bar = Progress(0, "")
        self._seen = 0
        worker.events.listen(WorkerStarted, self._begin)
        worker.events.listen(WorkerRunning, self._look)
        worker.events.listen(WorkerStopped, self._end)

    def _begin(self, _: WorkerStarted) -> None:
        if self._show:
            self._bar = Progress(self._ready(), "Draining")
        self._bar.__enter__()

    def _look(self, event: WorkerRunning) -> None:
        taken = self._worker.status.taken
        self._bar.step(taken - self._seen)
        self._seen = taken
        if event.idle and self._ready() == 0:
            self._worker.stop.request("nothing is ready", is_limit=True)

    def _end(self, event: WorkerStopped) -> None:
        self._bar.__exit__(None, None, None)
        if self._show:
            status = self._worker.status
            say(f"{status.handled} handled, {status.failed} failed; stopped: {event.reason}", err=True)

    def _ready(self) -> int | None:
        """Return the number of ready messages; None when a server is unavailable."""
        with suppress(TransportError):
            return sum(transport.depth().ready for transport in self._transports)
        return None
