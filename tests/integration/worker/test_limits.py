"""When a worker leaves by itself."""

from __future__ import annotations

from typing import Any, cast

from tests.integration.worker.project import Project


def test_limit_counts_handled_and_failed_messages(project: Project) -> None:
    for name, do in [("a", ""), ("b", "give-up"), ("c", ""), ("d", "")]:
        project.send(name, do)
    worker = project.worker("async", "--limit", "3")
    assert worker.code() == 0
    assert project.events() == ["start a", "done a", "start b", "start c", "done c"]
    assert "reason='limit of 3 messages' handled=2 failed=1" in worker.log
    assert project.left() == (1, 0, 0), "no message is taken that is not handled"


def test_failure_limit_counts_every_failed_attempt(project: Project) -> None:
    project.send("a")
    project.send("b", "fail")
    worker = project.worker("async", "--failure-limit", "2")
    assert worker.code() == 0
    assert project.events("start") == ["start a", "start b", "start b"]
    assert "reason='limit of 2 failures'" in worker.log


def test_memory_limit_lets_the_message_finish(project: Project) -> None:
    project.send("a")
    project.send("b", "eat")
    worker = project.worker("async", "--memory-limit", "150M")
    assert worker.code() == 0
    assert project.events("done") == ["done a", "done b"]
    assert "memory limit of 157286400 bytes" in worker.log


def test_time_limit_ends_an_idle_worker_and_lets_a_message_finish(project: Project) -> None:
    idle = project.start("consume", "high", "--time-limit", "0.5", "--sleep", "0.1")
    project.send("a", "sleep 1")
    busy = project.start("consume", "async", "--time-limit", "0.5")
    assert idle.code() == busy.code() == 0
    assert "reason='time limit of 0.5 s'" in idle.log
    assert project.events() == ["start a", "done a"]


def test_a_handler_may_stop_the_worker(project: Project) -> None:
    project.send("a", "stop")
    project.send("b")
    worker = project.worker()
    assert worker.code() == 0
    assert "reason='asked by a message'" in worker.log
    assert project.events("start") == ["start a"]
    assert project.left() == (1, 0, 1), "the message that stopped it waits for its retry"


def test_min_uptime_keeps_a_quick_worker_but_a_signal_ends_it(project: Project) -> None:
    project.send("a")
    worker = project.worker("async", "--limit", "1", "--min-uptime", "300")
    project.wait_for_workers(1, "stopping")
    worker.process.terminate()
    assert worker.code() == 0
    assert "reason='limit of 1 messages'" in worker.log


def test_limits_hold_while_a_server_is_awaited_at_the_start(project: Project) -> None:
    project.server.stop()
    worker = project.start("consume", "async", "--time-limit", "1")
    assert worker.code() == 0
    assert "waiting_for redis" in worker.log
    assert "reason='time limit of 1 s'" in worker.log
    greedy = project.start("consume", "async", "--memory-limit", "1M")
    assert greedy.code() == 0
    assert "reason='memory limit of " in greedy.log
    project.server.start()


def test_the_time_limit_holds_during_a_long_wait_and_while_a_server_is_away(project: Project) -> None:
    idle = project.worker("async", "--time-limit", "2", "--sleep", "1000")
    left_alone = project.worker("high", "--time-limit", "4", "--sleep", "1000")
    assert idle.code() == 0
    project.server.stop()
    left_alone.wait_for("waiting_for redis")
    assert left_alone.code() == 0
    project.server.start()


def test_a_limit_that_is_reached_in_a_message_does_not_begin_its_stop_deadline(project: Project) -> None:
    project.send("a", "sleep 3")
    worker = project.worker("async", "--time-limit", "0.5", "--stop-deadline", "1")
    assert worker.code() == 0
    assert project.events() == ["start a", "done a"]


def test_no_more_is_fetched_than_the_limit_leaves(project: Project) -> None:
    for name in ("a", "b", "c", "d"):
        project.send(name)
    worker = project.worker("async", "--limit", "2", "--fetch-size", "10")
    assert worker.code() == 0
    with project.server.client() as client:
        groups = cast("list[dict[str, Any]]", client.xinfo_groups("async"))
        assert groups[0]["entries-read"] == 2, "what is not handled here is not taken from others"
