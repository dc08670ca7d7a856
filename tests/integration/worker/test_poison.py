"""A message that kills its workers is put aside (R40)."""

from __future__ import annotations

import pytest

from tests.integration.worker.project import TASKS, Project


@pytest.fixture
def deadly(project: Project) -> Project:
    """Handlers that can kill their own process; leases last one second."""
    project.write(
        "tasks.py", TASKS.replace("def act(task):", "def act(task):\n    if task.do == 'die':\n        os.abort()")
    )
    text = (project.directory / "messenger.yaml").read_text()
    text = text.replace("claim_interval: 200}", "claim_interval: 200, redeliver_timeout: 1}\n      max_deliveries: 2")
    project.write("messenger.yaml", text)
    return project


def test_after_its_last_delivery_it_goes_to_the_failure_store_without_running_again(deadly: Project) -> None:
    deadly.send("a", "die")
    for _ in range(2):
        assert deadly.start("consume", "async").code() < 0, "the handler kills its process"
    deadly.send("b")
    survivor = deadly.start("consume", "async", "--limit", "2")
    assert survivor.code() == 0
    assert deadly.events("start") == ["start a", "start a", "start b"]
    [kept] = deadly.json("failed", "show")["messages"]
    assert "handed out 2 times and never settled" in kept["error"]
    assert deadly.left() == (0, 0, 0)
