"""The hard end of a worker that was asked to stop and does not (R53)."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from time import monotonic

from messenger.errors import MessengerError
from messenger.worker.status import WorkerStatus
from messenger.worker.stop import StopRequest

log = logging.getLogger(__name__)
EXIT_DEADLINE = 75


class StopDeadline:
    """Hands the messages in hand back and ends the process, `seconds` after a stop request.

    leave: takes the worker out of the registry.
    """

    def __init__(self, seconds: float, status: WorkerStatus, stop: StopRequest, leave: Callable[[], None]) -> None:
        self._seconds = seconds
        self._status = status
        self._stop = stop
        self._leave = leave

    def at(self) -> float:
        """Monotonic seconds; infinite while no stop is requested."""
        return self._stop.requested_at + self._seconds

    def look(self) -> None:
        """A beat's step: a handler that has not ended by now is not waited for."""
        if monotonic() < self.at():
            return
        held = self._status.held
        names = ", ".join(f"{item.type} {item.id}" for item in held) or "nothing"
        log.critical("stop_deadline of %g s is over: handing back %s", self._seconds, names)
        for item in held:
            try:
                item.transport.hand_back(item.envelope)
            except MessengerError as error:
                log.warning("not_handed_back transport=%s id=%s: %s", item.transport.name, item.id, error)
        self._leave()
        logging.shutdown()
        os._exit(EXIT_DEADLINE)
