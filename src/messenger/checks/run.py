"""Runs checks side by side, each for a few seconds at most."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from messenger.checks.finding import Finding, Place

SECONDS = 8.0


@dataclass(slots=True)
class Task:
    """Checks that are made one after the other. name, where: for what is said when they give no answer."""

    name: str
    where: str
    run: Callable[[], Iterable[Finding]]
    found: list[Finding] = field(default_factory=list)

    def collect(self) -> None:
        """Keep each finding as soon as it is there. A check that breaks is a finding too, and hides no other."""
        try:
            for finding in self.run():
                self.found.append(finding)
        except Exception as error:
            # Only class and place: the text of an unexpected error may have a secret in it.
            last = traceback.extract_tb(error.__traceback__)[-1]
            what = f"{type(error).__name__} in {Path(last.filename).name}, line {last.lineno}"
            change = "report this as a bug of messenger check; the other checks stand"
            self.found.append(Place(self.name, self.where).fail(f"could not be looked at: {what}", change))


def run_tasks(tasks: Sequence[Task], seconds: float = SECONDS) -> list[Finding]:
    """The findings of all tasks, in their order, each once; a task that takes longer than `seconds` has failed."""
    threads = [threading.Thread(target=task.collect, daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + seconds
    findings: dict[Finding, None] = {}  # transports on one server find the same
    for task, thread in zip(tasks, threads, strict=True):
        thread.join(max(0.0, deadline - time.monotonic()))
        findings.update(dict.fromkeys(list(task.found)))
        if thread.is_alive():
            place = Place(task.name, task.where)
            findings[place.fail(f"gave no answer within {seconds:g} s", "look at the network in between")] = None
    return list(findings)
