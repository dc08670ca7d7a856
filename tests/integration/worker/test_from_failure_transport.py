"""A message that comes from the failure transport runs the handlers of the transport it failed in."""

from __future__ import annotations

import pytest

from tests.integration.worker.project import TASKS, Project


@pytest.mark.parametrize("command", [("consume", "failed", "--limit", "1"), ("failed", "retry", "--all", "--now")])
def test_from_transport_handlers_match(project: Project, command: tuple[str, ...]) -> None:
    project.write("tasks.py", TASKS.replace("@handler\ndef on_task", '@handler(from_transport="async")\ndef on_task'))
    project.send("a", "give-up")
    assert project.start("consume", "async", "--limit", "1").code() == 0
    assert len(project.json("failed", "show")["messages"]) == 1
    project.write("tasks.py", (project.directory / "tasks.py").read_text().replace("give-up", "never"))
    assert project.start(*command).code() == 0
    assert project.events() == ["start a", "start a", "done a"]
    assert project.json("failed", "show")["messages"] == []
