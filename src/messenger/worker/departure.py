"""Departure: the end of a worker's process, from its last message until the process has ended."""

from __future__ import annotations

import atexit
import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress

from messenger.worker.deadline import left_behind
from messenger.worker.heartbeat import Heartbeat, Step
from messenger.worker.stop import StopRequest
from messenger.worker.worker import Worker

log = logging.getLogger(__name__)
_REPORT_SECONDS = 1.0


class Departure:
    """Keeps a worker registered, and its stop deadline in force, until the interpreter has ended everything else.

    Python waits for threads, then calls the atexit functions, the newest first. A Departure is created before the
    application is loaded, so its function is the last: it removes the worker from the registry and ends the process.

    Attributes:
        first: Called right after the worker has run.
        steps: Tasks that run every second from the worker's last message until the end.
        leave: Removes the worker from the registry.
        deadline: Returns the monotonic seconds at which the tasks run in any case.
    """

    def __init__(self) -> None:
        self.first: Callable[[], None] = lambda: None
        self.steps: list[Step] = []
        self.leave: Callable[[], None] = lambda: None
        self.deadline: Callable[[], float] = lambda: float("inf")
        self._code = 1
        self._heartbeat: Heartbeat | None = None
        atexit.register(self._end)

    def run(self, worker: Worker) -> int:
        """Run the worker and begin its departure.

        Args:
            worker: The worker.

        Returns:
            The exit code.
        """
        worker.at_end.append(lambda: self._begin(worker.stop))
        try:
            self._code = worker.run()
            return self._code
        finally:
            found = left_behind()
            if found:
                log.warning("worker_waits for what its handlers left running: %s", found)
            self.first()

    def _begin(self, stop: StopRequest) -> None:
        stop.request("the worker has ended")  # from here the deadline counts when nothing asked for a stop
        self._heartbeat = Heartbeat(self.steps, _REPORT_SECONDS, stop)
        self._heartbeat.deadline = self.deadline
        self._heartbeat.start()

    def _end(self) -> None:
        if self._heartbeat is None:
            return
        self._heartbeat.end()
        self.leave()
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # closed, or without a reader
                stream.flush()
        os._exit(self._code)
