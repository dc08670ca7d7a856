"""Message ids in a real worker: through a retry, the failure store and back, and in its log."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.integration.worker.project import TASKS, Project

CHILD = """
from messenger import MessageBus

@handler(alias="child")
def sends_child(task: Task, bus: MessageBus):
    if task.name == "root":
        bus.dispatch(Task("child", "give-up"))
"""
NAMES = ("Message", "Correlation", "Causation")


def waiting(project: Project) -> list[dict[str, str]]:
    """The headers of the messages in the stream, oldest first."""
    with project.server.client() as client:
        entries: Any = client.xrange("async")
    return [json.loads(fields[b"message"])["headers"] for _, fields in entries]


def test_they_are_kept_through_retries_and_the_failure_store_and_told_in_the_log(project: Project) -> None:
    project.write("tasks.py", TASKS + CHILD)
    project.run("dispatch", "Task", '{"name": "root", "do": "fail-once"}')
    (root,) = waiting(project)
    root_id = root["X-Messenger-Message-Id"]
    assert root["X-Messenger-Correlation-Id"] == root_id
    assert "X-Messenger-Causation-Id" not in root

    worker = project.start("consume", "async", "--limit", "3")
    assert worker.code() == 0
    assert re.search(rf"message_retried .*\bmessage_id={root_id}\b", worker.log)
    assert re.search(rf"message_handled .*\bmessage_id={root_id}\b", worker.log)

    (listed,) = project.json("failed", "show")["messages"]
    (child,) = project.json("failed", "show", listed["id"])["messages"]
    assert child["message_id"] != root_id
    assert (child["correlation_id"], child["causation_id"]) == (root_id, root_id)
    assert re.search(rf"message_failed .*\bmessage_id={child['message_id']}\b", worker.log)
    assert f"causation_id   {root_id}\n" in project.run("failed", "show", listed["id"]).stdout

    project.run("failed", "retry", listed["id"])
    (again,) = waiting(project)
    assert [again[f"X-Messenger-{name}-Id"] for name in NAMES] == [child["message_id"], root_id, root_id]
