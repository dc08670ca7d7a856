"""messenger stop-workers: workers finish their message and leave; Supervisor starts them again, on the new code."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import click
import msgspec

from messenger.cli.common import format_option, load, need_control, pids_option, print_json, say_problems
from messenger.cli.terminal import Progress, say
from messenger.control.confirmed import Confirmed, SupervisedPids
from messenger.control.plane import DETACHED, Control, Scope, WorkerInfo
from messenger.errors import TransportUnavailable

_POLL_SECONDS = 0.2


@click.command("stop-workers", short_help="Workers finish their message and leave.")
@click.option("--host", help="Only the workers of this host.")
@click.option("--keep-release", metavar="ID", help="Spare the workers that run this release already.")
@click.option(
    "--wait", type=click.FloatRange(min=0), default=0.0, help="Wait up to this many seconds until they have left."
)
@pids_option
@format_option
@click.pass_context
def stop_workers(
    context: click.Context, host: str | None, keep_release: str | None, wait: float, pids_from_stdin: bool, output: str
) -> int:
    """Ask the workers of every host, or of one, to finish their message and leave.

    A counter in Redis is raised; each worker compares it with what it was when the worker started. Supervisor starts a
    worker that has left again. One that may be left behind, and has a message in hand, counts as gone once it
    finishes that in the background. A worker of this host without a process here is not waited for, whatever the
    registry says.

    Exit codes: 0; 1 some had not left after --wait, or Redis cannot be reached; 64 wrong usage; 78 the configuration or
    the application cannot be loaded, or it has no Redis.

    \b
        messenger stop-workers
        messenger stop-workers --host worker1 --wait 60
    """
    application = load(context)
    control = need_control(application)
    confirmed = Confirmed(application.host, SupervisedPids() if pids_from_stdin else None)
    there = [worker for worker in confirmed.of(control.workers(host)) if worker.state != DETACHED]
    asked = [worker for worker in there if keep_release is None or worker.release != keep_release]
    control.ask_to_stop(_scopes(asked, host, keep_release))
    waiting = StopTracker(asked, Confirmed(application.host))
    if wait:
        waiting.wait(control, wait)
    say_problems(control)
    remaining, detached = waiting.remaining, waiting.detached
    if output == "json":
        ids = {"remaining": [worker.id for worker in remaining], "detached": [worker.id for worker in detached]}
        gone = len(asked) - len(remaining)
        print_json({"asked": len(asked), "gone": gone, **ids, "workers": [waiting.row(worker) for worker in asked]})
    else:
        _say(asked, remaining, detached, waited=bool(wait))
    return 1 if wait and remaining else 0


class StopTracker:
    """Tracks the workers that were asked to stop.

    Attributes:
        remaining: Workers that are still registered.
        detached: Workers that finish a message in the background.
    """

    def __init__(self, asked: Sequence[WorkerInfo], confirmed: Confirmed) -> None:
        """Create it.

        Args:
            asked: The workers.
            confirmed: Confirms which entries of the registry to believe.
        """
        self._confirmed = confirmed
        self.remaining = list(asked)
        self.detached: list[WorkerInfo] = []
        self._wanted = {worker.id for worker in asked}
        self._began = time.monotonic()
        self._seconds: dict[str, float] = {}  # until they were gone

    def wait(self, control: Control, seconds: float) -> None:
        """Wait until all workers are gone, or for `seconds`."""
        with Progress(len(self.remaining), "Leaving") as progress:
            while self.remaining:
                before = len(self.remaining)
                with suppress(TransportUnavailable):  # still counted as there; asked again until the time is up
                    self._look(control)
                progress.step(before - len(self.remaining))
                if time.monotonic() >= self._began + seconds:
                    break
                if self.remaining:
                    time.sleep(_POLL_SECONDS)

    def row(self, worker: WorkerInfo) -> dict[str, Any]:
        """Return the result for one worker; `message` is what it had in flight when it was asked."""
        outcome = "remaining" if worker.id not in self._seconds else "left"
        return {
            "id": worker.id,
            "process": worker.process,
            "pid": worker.pid,
            "front": worker.front,
            "release": worker.release,
            "outcome": "detached" if worker.id in {each.id for each in self.detached} else outcome,
            "seconds": self._seconds.get(worker.id, round(time.monotonic() - self._began, 1)),
            "message": worker.message and msgspec.to_builtins(worker.message),
        }

    def _look(self, control: Control) -> None:
        there = [worker for worker in self._confirmed.of(control.workers()) if worker.id in self._wanted]
        self.detached = [worker for worker in there if worker.state == DETACHED]
        self.remaining = [worker for worker in there if worker.state != DETACHED]
        for id in self._wanted - {worker.id for worker in self.remaining}:
            self._seconds.setdefault(id, round(time.monotonic() - self._began, 1))


def _say(
    asked: Sequence[WorkerInfo], remaining: Sequence[WorkerInfo], detached: Sequence[WorkerInfo], *, waited: bool
) -> None:
    left = len(asked) - len(remaining) - len(detached)
    finishing = "".join(f", 1 finishes {_doing(worker)} in the background" for worker in detached)
    say(f"{len(asked)} workers asked to stop" + (f", {left} have left{finishing}" if waited else ""))
    for worker in remaining if waited else ():
        since = f" for {worker.message.seconds:g} s" if worker.message else ""
        say(f"still there: {worker.id} ({worker.state}: {_doing(worker)}{since})", err=True)


def _doing(worker: WorkerInfo) -> str:
    return f"{worker.message.type} {worker.message.id}" if worker.message else "-"


def _scopes(asked: Sequence[WorkerInfo], host: str | None, keep_release: str | None) -> list[Scope]:
    """With --keep-release only the releases that are to go; else the whole scope, unregistered workers included."""
    if keep_release is None:
        return [Scope(host)]
    return list({Scope(worker.host, worker.release): None for worker in asked})
