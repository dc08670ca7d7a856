"""Which workers of the registry are believed: those of this host must have a process here.

The registry is what anybody who may write to Redis says. A worker of this host is confirmed by its process, by pid and
start; a deploy also says which processes Supervisor runs.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from messenger.control.plane import DETACHED, WorkerInfo
from messenger.control.processes import is_running
from messenger.polling import readable

_LONGEST_LINE = 1_000_000  # bytes


class Confirmed:
    """Leaves out the workers of this host that have no process.

    Args:
        here: this host's name in the registry.
        supervised: the processes that Supervisor runs; None where that is not known.
    """

    def __init__(self, here: str, supervised: SupervisedPids | None = None) -> None:
        self._here = here
        self._supervised = supervised

    def of(self, workers: Sequence[WorkerInfo]) -> list[WorkerInfo]:
        """Return the workers that are confirmed, and those of other hosts, which cannot be."""
        pids = self._supervised.now() if self._supervised is not None else None
        return [worker for worker in workers if worker.host != self._here or _is_confirmed(worker, pids)]


def _is_confirmed(worker: WorkerInfo, pids: frozenset[int] | None) -> bool:
    if pids is not None and worker.state != DETACHED and not pids & {worker.pid, worker.front}:
        return False
    return is_running(worker.pid, worker.start_ticks)


class SupervisedPids:
    """The pids of what Supervisor runs, as a file descriptor says: a line for each change, the newest counts."""

    def __init__(self, fd: int = 0) -> None:
        self._fd = fd
        self._rest = b""
        self._has_ended = False
        self._pids: frozenset[int] | None = None

    def now(self) -> frozenset[int]:
        """Return the newest; waits for the first line. None are known where that never comes."""
        while not self._has_ended and (self._pids is None or readable((self._fd,), 0)):
            data = os.read(self._fd, 65_536)
            self._has_ended = not data or len(self._rest) > _LONGEST_LINE
            *lines, self._rest = (self._rest + data).split(b"\n")
            if lines:
                self._pids = frozenset(int(word) for word in lines[-1].split() if word.isdigit())
        return self._pids or frozenset()
