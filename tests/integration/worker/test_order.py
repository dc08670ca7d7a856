"""What is handled first, and by which handler."""

from __future__ import annotations

import signal

from tests.integration.cli.terminal import Terminal
from tests.integration.worker.project import TASKS, Project


def test_an_earlier_transport_is_served_first(project: Project) -> None:
    project.send("gate", "wait")
    worker = project.worker("high", "async", "--limit", "5")
    project.wait_for_event("start gate")
    for number in range(2):
        project.send(f"low{number}")
        project.send(f"high{number}", stream="high")
    project.go("gate")
    assert worker.code() == 0
    assert project.events("done") == ["done gate", "done high0", "done high1", "done low0", "done low1"]


def test_transports_are_served_in_turn(project: Project) -> None:
    for number in range(3):
        project.send(f"low{number}")
        project.send(f"high{number}", stream="high")
    assert project.worker("high", "async", "--order", "round-robin", "--limit", "6").code() == 0
    assert [e[-5:-1] for e in project.events("done")] == ["high", " low"] * 3


def test_transports_are_served_by_weight(project: Project) -> None:
    text = (project.directory / "messenger.yaml").read_text()
    project.write("messenger.yaml", text.replace("options: {stream: high}", "options: {stream: high}\n      weight: 3"))
    for number in range(9):
        project.send(f"low{number}")
        project.send(f"high{number}", stream="high")
    assert project.worker("high", "async", "--order", "weighted", "--limit", "8").code() == 0
    assert sum("high" in e for e in project.events("done")) == 6


def test_one_wait_is_ended_by_either_transport(project: Project) -> None:
    worker = project.worker("high", "async", "--sleep", "600")
    project.send("a")
    project.wait_for_event("done a")
    project.send("b", stream="high")
    project.wait_for_event("done b")
    worker.signal(signal.SIGTERM)
    assert worker.code() == 0


def test_a_terminal_is_asked_which_transports(project: Project) -> None:
    project.send("low")
    project.send("urgent", stream="high")
    with Terminal(project, "consume", "--limit", "2") as terminal:
        terminal.expect("Which transports, the most urgent first? (async, high, failed):")
        terminal.type("high, nope")
        terminal.expect("'nope' is none of them")
        terminal.expect("Which transports, the most urgent first?")
        terminal.type("high, async")
        terminal.expect("transports=high,async")
        assert terminal.code() == 0
    assert project.events("done") == ["done urgent", "done low"]


def test_no_answer_is_wrong_usage(project: Project) -> None:
    with Terminal(project, "consume") as terminal:
        terminal.expect("Which transports")
        terminal.type("\x04")
        terminal.expect("which transport? Allowed: async, high, failed, or --all")
        assert terminal.code() == 64
    with Terminal(project, "consume", "high", "--time-limit", "0.1") as terminal:
        assert terminal.code() == 0
        assert "Which transports" not in terminal.screen


def test_a_bus_may_be_forced(project: Project) -> None:
    text = (project.directory / "messenger.yaml").read_text() + "  default_bus: one\n  buses: {one: {}, two: {}}\n"
    project.write("messenger.yaml", text)
    project.write("tasks.py", TASKS.replace("@handler\ndef on_task", '@handler(bus="two")\ndef on_task'))
    project.send("a")
    assert project.worker("async", "--bus", "two", "--limit", "1").code() == 0
    assert project.events("done") == ["done a"]
    assert (
        "no bus is called 'three'; allowed: one, two" in project.run("consume", "async", "-b", "three", code=64).stderr
    )


def test_all_but_an_excluded_one(project: Project) -> None:
    project.send("a", stream="high")
    project.send("b")
    worker = project.worker("--all", "--exclude", "high", "--limit", "1")
    assert worker.code() == 0
    assert project.events("done") == ["done b"]


def test_a_limit_may_have_its_own_exit_code(project: Project) -> None:
    project.send("a")
    assert project.worker("async", "--limit", "1", "--exit-on-limit", "9").code() == 9
    worker = project.worker("async", "--limit", "1", "--exit-on-limit", "9")
    worker.signal(signal.SIGTERM)
    assert worker.code() == 0


def test_all_means_every_transport_but_the_failure_transports(project: Project) -> None:
    project.send("a", stream="high")
    project.send("b")
    worker = project.worker("--all", "--limit", "2")
    assert worker.code() == 0
    assert project.events("done") == ["done b", "done a"], "in the order of messenger.yaml"
    assert "transports=async,high" in worker.log


def test_async_handlers_and_messages_without_a_name_of_their_own(project: Project) -> None:
    for name in "ab":
        project.send(name, type_="tasks.AsyncTask")
    assert project.worker("async", "--limit", "2").code() == 0
    assert project.events("done") == ["done a", "done b"]


def test_a_delayed_message_comes_when_it_is_due(project: Project) -> None:
    project.run("dispatch", "Task", '{"name": "late"}', "--delay", "1500")
    project.run("dispatch", "Task", '{"name": "now"}')
    assert project.worker("async", "--limit", "2").code() == 0
    assert project.events("done") == ["done now", "done late"]


def test_a_message_is_retried_then_rests_in_the_failure_transport(project: Project) -> None:
    project.send("a", "fail")
    project.send("b", "fail-once")
    worker = project.worker("async", "--limit", "4")
    assert worker.code() == 0
    assert sorted(project.events()) == ["done b", "start a", "start a", "start b", "start b"]
    assert "message_retried" in worker.log
    assert "kept_in=failed: tasks.on_task failed: ValueError: boom a" in worker.log
    assert [m["error"] for m in project.json("failed", "show")["messages"]] == ["builtins.ValueError: boom a"]
    assert project.left() == (0, 0, 0)


def test_exit_in_a_handler_fails_the_message_and_not_the_worker(project: Project) -> None:
    project.send("a", "exit")
    project.send("b")
    worker = project.worker("async", "--limit", "3")
    assert worker.code() == 0
    assert project.events("done") == ["done b"]
    assert "the handler called exit(3)" in worker.log


def test_an_unknown_and_an_unreadable_message_are_put_aside_and_the_worker_goes_on(project: Project) -> None:
    project.send("a", type_="App\\Unknown")
    with project.server.client() as client:
        client.xadd("async", {"message": b"\xff\x00 not json"})
        client.xadd("async", {"other": "field"})
    project.send("b")
    worker = project.worker("async", "--limit", "4")
    assert worker.code() == 0
    assert project.events() == ["start b", "done b"]
    assert project.left() == (0, 0, 0)
    types = [m["type"] for m in project.json("failed", "show")["messages"]]
    assert types == ["App\\Unknown", "undecodable", "undecodable"]
