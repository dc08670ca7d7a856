"""What goes on beside the handlers: a thread that takes the same steps again and again."""

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


class Beat:
    """A thread that lives as long as the worker, at its beginning and end in step with it.

    steps: called at each beat, in order, from this thread; one that fails keeps none of the others from it.
    interval: seconds between two beats; it also beats at once when a stop is requested.
    deadline: monotonic seconds at which it beats in any case, asked for once a stop is requested.
    """

    def __init__(self, steps: Sequence[Step], interval: float, stop: StopRequest) -> None:
        self.steps = list(steps)
        self.deadline: Callable[[], float] = lambda: float("inf")
        self._interval = interval
        self._stop = stop
        self._failing: set[Step] = set()
        self._ended = Flag()
        self._thread = threading.Thread(target=self._run, name="messenger-beat", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def end(self) -> None:
        """End the thread: no step runs any more, so what they use may be used elsewhere."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._has_ended_after(self._interval):
            for step in self.steps:
                self._take(step)

    def _has_ended_after(self, seconds: float) -> bool:
        """Wait that long, or until a stop is requested or its deadline has come. Whether the worker has ended."""
        if not self._stop.is_requested():
            readable((self._ended.fd, self._stop.fd), seconds)
        else:
            readable((self._ended.fd,), min(seconds, self.deadline() - time.monotonic()))
        return readable((self._ended.fd,), 0.0)

    def _take(self, step: Step) -> None:
        try:
            step()
        except MessengerError as error:
            if step not in self._failing:  # said once for as long as it lasts
                log.warning("beat_failed: %s", error)
            self._failing.add(step)
        except Exception:
            log.exception("beat_failed")
        else:
            self._failing.discard(step)


class Leases:
    """Renews the lease of every message in flight, of those in a batch too.

    at_most: seconds between two renewals; a transport may ask for fewer.
    """

    def __init__(self, status: WorkerStatus, at_most: float) -> None:
        self._status = status
        self._at_most = at_most
        self._renewed: dict[InFlightMessage, float] = {}

    def renew(self) -> None:
        """Renew those it is time for. Raises TransportError."""
        in_flight = self._status.in_flight
        now = time.monotonic()
        self._renewed = {item: self._renewed.get(item, item.since) for item in in_flight}
        for item in in_flight:
            if now - self._renewed[item] >= min(item.transport.keepalive_interval, self._at_most):
                item.transport.keepalive(item.envelope)
                self._renewed[item] = now
