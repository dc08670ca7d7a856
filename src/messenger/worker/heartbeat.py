"""The heartbeat of a worker: a thread that runs periodic tasks beside the handlers."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from messenger.errors import MessengerError
from messenger.polling import readable
from messenger.worker.status import InFlightMessage, WorkerStatus
from messenger.worker.stop import Flag, StopRequest

log = logging.getLogger(__name__)
Step = Callable[[], None]


class Heartbeat:
    """Background thread that runs periodic tasks for the lifetime of the worker.

    Args:
        steps: The tasks, called in order at each heartbeat. A task that fails does not prevent the others.
        interval: Seconds between two heartbeats. A stop request causes one at once.
        stop: The worker's stop request.

    Attributes:
        deadline: Returns the monotonic time in seconds of the last heartbeat before the stop deadline; called after a
            stop request only.
    """

    def __init__(self, steps: Sequence[Step], interval: float, stop: StopRequest) -> None:
        self.steps = list(steps)
        self.deadline: Callable[[], float] = lambda: float("inf")
        self._interval = interval
        self._stop = stop
        self._failing: set[Step] = set()
        self._ended = Flag()
        self._thread = threading.Thread(target=self._run, name="messenger-heartbeat", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def end(self) -> None:
        """End the thread. Afterwards no task runs, and another thread may use the connections of the tasks."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._has_ended_after(self._interval):
            for step in self.steps:
                self._take(step)

    def _has_ended_after(self, seconds: float) -> bool:
        """Wait for the interval, a stop request or its deadline. Return True when the worker has ended."""
        if not self._stop.is_requested():
            readable((self._ended.fd, self._stop.fd), seconds)
        else:
            readable((self._ended.fd,), min(seconds, self.deadline() - time.monotonic()))
        return readable((self._ended.fd,), 0.0)

    def _take(self, step: Step) -> None:
        try:
            step()
        except MessengerError as error:
            if step not in self._failing:  # logged once while the failure lasts
                log.warning("heartbeat_failed: %s", error)
            self._failing.add(step)
        except Exception:
            log.exception("heartbeat_failed")
        else:
            self._failing.discard(step)


class Leases:
    """Renews the leases of the messages in flight, including those in a batch.

    Args:
        status: The worker's state, which lists the messages in flight.
        at_most: Most seconds between two renewals of one lease; a transport may ask for a shorter interval.
    """

    def __init__(self, status: WorkerStatus, at_most: float) -> None:
        self._status = status
        self._at_most = at_most
        self._renewed: dict[InFlightMessage, float] = {}

    def renew(self) -> None:
        """Renew the leases that are due.

        Raises:
            TransportError: The transport could not renew a lease.
        """
        in_flight = self._status.in_flight
        now = time.monotonic()
        self._renewed = {item: self._renewed.get(item, item.since) for item in in_flight}
        for item in in_flight:
            if now - self._renewed[item] >= min(item.transport.keepalive_interval, self._at_most):
                item.transport.keepalive(item.envelope)
                self._renewed[item] = now
