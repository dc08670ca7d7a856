"""The stop deadline: the forced end of a worker that does not stop in time."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from time import monotonic

import psutil

from messenger.concurrency.async_dispatch import THREAD_NAME
from messenger.worker import lease_keeper_process
from messenger.worker.release import release
from messenger.worker.status import WorkerStatus
from messenger.worker.stop import StopRequest

log = logging.getLogger(__name__)
EXIT_DEADLINE = 75
_LAST_SECONDS = 4.0  # Supervisor is patient for 5 s more than the deadline that the role passes
_LISTED = 5


class StopDeadline:
    """Releases the messages in flight and ends the process when a stop takes too long."""

    def __init__(self, seconds: float, status: WorkerStatus, stop: StopRequest, leave: Callable[[], None]) -> None:
        """Create it.

        Args:
            seconds: Time from the stop request to the end.
            status: The worker's state, which lists the messages in flight.
            stop: The worker's stop request.
            leave: Removes the worker from the registry.
        """
        self._seconds = seconds
        self._status = status
        self._stop = stop
        self._leave = leave

    def at(self) -> float:
        """Return the deadline in monotonic seconds; infinite while no stop is requested."""
        return self._stop.requested_at + self._seconds

    def look(self) -> None:
        """End the process if the deadline has passed; a task of the heartbeat."""
        if monotonic() < self.at():
            return
        # On a thread of its own: an unavailable store, or a log without a reader, does not delay the end.
        last = threading.Thread(target=self._finish, name="messenger-deadline", daemon=True)
        last.start()
        last.join(_LAST_SECONDS)
        os._exit(EXIT_DEADLINE)

    def _finish(self) -> None:
        in_flight = self._status.in_flight
        names = ", ".join(f"{item.type} {item.id}" for item in in_flight) or "nothing"
        log.critical("stop_deadline of %g s is over: handing back %s%s", self._seconds, names, _still_running())
        release(self._status, in_flight)
        self._leave()
        logging.shutdown()


def left_behind() -> str:
    """Describe the threads and child processes that handlers left running, for a log line; "" when there are none."""
    ours = (threading.main_thread(), threading.current_thread())
    others = [each for each in threading.enumerate() if each not in ours and not each.daemon]
    threads = [f"thread {each.name}" for each in others if not each.name.startswith(THREAD_NAME)]
    children = [f"process {child.pid}" for child in psutil.Process().children() if not _is_lease_keeper(child)]
    found = [*threads, *children]
    return ", ".join(found[:_LISTED]) + (f" and {len(found) - _LISTED} more" if len(found) > _LISTED else "")


def _is_lease_keeper(child: psutil.Process) -> bool:
    try:
        return lease_keeper_process.__file__ in child.cmdline()
    except psutil.Error:  # it has ended
        return True


def _still_running() -> str:
    found = left_behind()
    return f"; still running: {found}" if found else ""
