"""A message that is to follow a handled one is not lost when it cannot be dispatched at first."""

from __future__ import annotations

from tests.integration.worker.project import TASKS, Project

FOLLOWS = """
from messenger import DispatchAfterCurrentBusStamp, MessageBus

@handler(alias="follow")
def with_follower(task: Task, bus: MessageBus):
    bus.dispatch(AsyncTask(task.name), [DispatchAfterCurrentBusStamp()])
    event("dispatched", task.name)

@handler(alias="fails-once")
def fails_once(task: AsyncTask):
    act(Task(task.name, "fail-once"))
"""


def test_the_message_is_handled_again_until_what_follows_it_was_dispatched(project: Project) -> None:
    project.write("tasks.py", TASKS + FOLLOWS)
    project.send("a")
    run = project.start("consume", "async", "--limit", "2")
    assert run.code() == 0
    assert "message_retried" in run.log
    once = ["start a", "done a", "dispatched a", "start a", "done a"]
    assert project.events() == once * 2
    assert project.left() == (0, 0, 0)
