"""A handler that takes too long is interrupted and its message counts as failed."""

from __future__ import annotations

from tests.integration.worker.project import TASKS, YAML, Project


def test_a_sleeping_handler_is_interrupted(project: Project) -> None:
    project.write("tasks.py", TASKS.replace("@handler\ndef on_task", "@handler(timeout=0.3)\ndef on_task"))
    project.send("slow", "sleep 600")
    project.send("quick")
    worker = project.worker("async", "--limit", "2")
    assert worker.code() == 0
    assert "message_retried" in worker.log
    assert "timeout of 0.3 s" in worker.log
    assert project.events("done") == ["done quick"]


def test_one_that_catches_everything_is_interrupted_too(project: Project) -> None:
    stubborn = TASKS.replace(
        "    act(task)\n    event", "    try:\n        act(task)\n    except Exception:\n        pass\n    event"
    )
    project.write("tasks.py", stubborn)
    project.write("messenger.yaml", YAML + "  handler_timeout: 0.3\n")
    project.send("slow", "sleep 600")
    worker = project.worker("async", "--limit", "1")
    assert worker.code() == 0
    assert "timeout of 0.3 s" in worker.log


def test_an_async_handler_is_interrupted(project: Project) -> None:
    text = TASKS.replace("@handler\nasync", "@handler(timeout=0.3)\nasync").replace("sleep(0)", "sleep(600)")
    project.write("tasks.py", text)
    project.send("slow", type_="tasks.AsyncTask")
    worker = project.worker("async", "--limit", "1")
    assert worker.code() == 0
    assert "timeout of 0.3 s" in worker.log
    assert "CancelledError" not in worker.log


def test_a_handler_in_time_is_left_alone(project: Project) -> None:
    project.write("messenger.yaml", YAML + "  handler_timeout: 0.5\n")
    for number in range(3):
        project.send(f"n{number}", "sleep 0.3")
    assert project.worker("async", "--limit", "3").code() == 0
    assert project.events("done") == ["done n0", "done n1", "done n2"]
