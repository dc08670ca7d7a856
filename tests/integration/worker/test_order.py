"""What is handled first, and by which handler."""

from __future__ import annotations

from tests.integration.worker.project import Project


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
