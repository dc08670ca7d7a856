"""Running checks: bounded in time, and what breaks is a finding without its text."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from messenger.checks.finding import Finding, Place
from messenger.checks.run import Task, run_tasks

WELL = Place("a", "here").ok("well")


def test_a_check_that_breaks_hides_no_other_and_shows_no_text() -> None:
    def breaks() -> Iterator[Finding]:
        yield WELL
        raise ValueError("redis://app:secret@host")

    well, broken, other = run_tasks([Task("b", "there", breaks), Task("c", "else", lambda: [Place("c", "x").ok("y")])])
    assert well == WELL
    assert (broken.level, broken.check, broken.where) == ("fail", "b", "there")
    assert "ValueError in test_run.py, line" in broken.found
    assert "secret" not in str(broken)
    assert other.check == "c"


def test_a_check_that_gives_no_answer_fails_and_keeps_what_it_found() -> None:
    release = threading.Event()

    def hangs() -> Iterator[Finding]:
        yield WELL
        release.wait()

    well, late = run_tasks([Task("b", "there", hangs)], seconds=0.2)
    release.set()
    assert well == WELL
    assert (late.level, late.found) == ("fail", "gave no answer within 0.2 s")


def test_the_same_finding_of_two_transports_is_there_once() -> None:
    assert run_tasks([Task("a", "x", lambda: [WELL]), Task("a", "y", lambda: [WELL])]) == [WELL]
