"""The gate of a deploy: all workers of a host run the new release, and go on running."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from messenger.control.confirmed import Confirmed
from messenger.control.plane import DETACHED, Control, WorkerInfo
from messenger.errors import TransportUnavailable

_POLL_SECONDS = 0.25
_AT_WORK = ("idle", "busy", "pausing", "paused")
_REPORT_SECONDS = 1.0  # so often a worker tells how long it has run
_SILENT_SECONDS = 3.0  # one that was killed stays listed for a while


class Gate:
    """Watches the registry until the workers are as wanted.

    Workers that finish a message in the background do not count.

    Attributes:
        detached: Last entries of the workers that finish a message in the background.
    """

    def __init__(
        self,
        control: Control,
        host: str | None,
        release: str,
        count: int | None,
        max_failures: int | None = None,
        confirmed: Confirmed | None = None,
    ) -> None:
        """Create a gate.

        Args:
            control: The control plane.
            host: Host of the workers; None for every host.
            release: The release that they must run.
            count: Number of workers that there must be; None for at least one.
            max_failures: Number of failed attempts of all workers in the last minute above which the gate fails at
                once.
            confirmed: Confirms which entries of the registry to believe; None believes all.
        """
        self._control = control
        self._confirmed = confirmed
        self._host = host
        self._release = release
        self._count = count
        self._max_failures = max_failures
        self.detached: list[WorkerInfo] = []

    def wait(self, timeout: float, stable: float) -> tuple[list[WorkerInfo], list[str]]:
        """The workers, and what is wrong with them; nothing: reached, and the same workers stayed `stable` seconds.

        Workers that have run for longer than that need no waiting. timeout: seconds until they must be as wanted; the
        stable time comes on top.
        """
        deadline = time.monotonic() + timeout
        since: float | None = None
        ids: set[str] = set()
        while True:
            found, problems = self._look()
            now = time.monotonic()
            seen = {worker.id for worker in found}
            if too_many := self._failures(found):
                return found, [*problems, too_many]
            if problems:
                since = None
            elif since is None or seen != ids:
                since, ids = now, seen
            lacking = _POLL_SECONDS if since is None else min(stable - (now - since), _lacking(found, stable))
            if lacking <= 0:
                return found, []
            if now >= deadline + stable:
                return found, problems or ["the workers did not stay: some were started again and again"]
            time.sleep(min(_POLL_SECONDS, lacking))

    def _look(self) -> tuple[list[WorkerInfo], list[str]]:
        try:
            there = self._control.workers(self._host)
            there = self._confirmed.of(there) if self._confirmed is not None else there
        except TransportUnavailable as error:
            return [], [str(error)]
        self.detached = [worker for worker in there if worker.state == DETACHED]
        found = self._one_for_each_process([worker for worker in there if worker.state != DETACHED])
        problems = [problem for worker in found if (problem := self._problem(worker)) is not None]
        wanted = self._count if self._count is not None else max(1, len(found))
        if len(found) != wanted:
            where = f" on {self._host}" if self._host is not None else ""
            problems.append(f"{wanted} workers wanted{where}, {len(found)} there")
        return found, problems

    def _one_for_each_process(self, workers: Sequence[WorkerInfo]) -> list[WorkerInfo]:
        """Return one worker for each process: of several entries all but one are forged, and a wanted one is taken."""
        found: dict[tuple[str, int, int] | str, WorkerInfo] = {}
        for worker in workers:
            process = (worker.host, worker.pid, worker.start_ticks) if worker.start_ticks else worker.id
            if process not in found or self._problem(found[process]) is not None:
                found[process] = worker
        return list(found.values())

    def _failures(self, found: list[WorkerInfo]) -> str | None:
        failed = {w.id: w.failed_last_minute for w in found if w.release == self._release and w.failed_last_minute}
        if self._max_failures is None or sum(failed.values()) <= self._max_failures:
            return None
        each = ", ".join(f"{count} in {worker}" for worker, count in failed.items())
        return f"{sum(failed.values())} attempts failed in the last minute, {self._max_failures} may: {each}"

    def _problem(self, worker: WorkerInfo) -> str | None:
        if worker.release != self._release:
            doing = f", busy with {worker.message.type} {worker.message.id}" if worker.message is not None else ""
            return f"{worker.id} is on release {worker.release} ({worker.state}{doing})"
        if worker.state not in _AT_WORK:
            return f"{worker.id} is {worker.state}" + (f" for {worker.waiting_for}" if worker.waiting_for else "")
        return None


def _lacking(workers: list[WorkerInfo], stable: float) -> float:
    """Seconds until the youngest has run for `stable` seconds. Between two reports its silence is time it has run."""
    if any(worker.seen_seconds >= _SILENT_SECONDS for worker in workers):
        return math.inf
    run = (worker.uptime_seconds + min(worker.seen_seconds, _REPORT_SECONDS) for worker in workers)
    return stable - min(run, default=stable)
