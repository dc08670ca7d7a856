"""A handler that does not end does not hold up a stop for ever."""

from __future__ import annotations

import signal

from tests.integration.worker.project import Project


def test_its_message_is_handed_back_and_handled_by_another_at_once(project: Project) -> None:
    stuck = project.worker("async", "--stop-deadline", "0.5")
    project.send("a", "wait")
    project.wait_for_event("start a")
    stuck.signal(signal.SIGTERM)
    assert stuck.code() == 75
    assert "stop_deadline of 0.5 s is over: handing back App\\Message\\Task" in stuck.log
    project.go("a")
    worker = project.worker("async", "--limit", "1")  # its lease of 60 s is not waited for
    assert worker.code() == 0
    assert "message_cut_off transport=async" in stuck.log
    assert "message_taken_over" in worker.log
    assert " delivery=2" in worker.log, "it was begun and cut off: that counts, and is said"
    assert project.events() == ["start a", "start a", "done a"]
    assert project.left() == (0, 0, 0)


def test_stop_workers_has_the_same_deadline_and_the_registry_forgets_the_worker(project: Project) -> None:
    stuck = project.worker("async", "--stop-deadline", "0.5")
    project.send("a", "wait")
    project.wait_for_event("start a")
    project.run("stop-workers")
    assert stuck.code() == 75
    assert project.registered() == []


def test_a_handler_that_ends_in_time_is_not_disturbed(project: Project) -> None:
    worker = project.worker("async", "--stop-deadline", "20")
    project.send("a", "wait")
    project.wait_for_event("start a")
    worker.signal(signal.SIGTERM)
    project.go("a")
    assert worker.code() == 0
    assert project.events() == ["start a", "done a"]


def test_waiting_out_min_uptime_is_no_handler_that_does_not_end(project: Project) -> None:
    worker = project.worker("high", "--stop-deadline", "0.5", "--min-uptime", "3")
    project.wait_for_workers(1)
    project.run("stop-workers")
    assert worker.code() == 0
    assert "stop_deadline" not in worker.log


def test_what_was_fetched_and_not_begun_is_free_again(project: Project) -> None:
    for name in ("a", "b", "c"):
        project.send(name, "wait")
    worker = project.worker("async", "--fetch-size", "3")
    project.wait_for_event("start a")
    worker.signal(signal.SIGTERM)
    project.go("a")
    assert worker.code() == 0
    assert project.events() == ["start a", "done a"]
    for name in ("b", "c"):
        project.go(name)
    assert "message_cut_off" not in worker.log
    other = project.worker("async", "--limit", "2")
    assert other.code() == 0
    assert project.events("done") == ["done a", "done b", "done c"]
    assert "deliver" not in other.log, "what was never begun is no delivery, and nothing is said of it"
