"""A message that kills its workers is put aside."""

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


READ_DEADLY = """

@message(name="Deadly")
@dataclass
class Deadly:
    name: str = "t"

    def __post_init__(self):
        if "consume" in sys.argv:
            os.abort()


@handler
def on_deadly(task: Deadly):
    on_task(task)
"""


@pytest.mark.parametrize("store", ["redis", "sql"])
def test_one_whose_reading_ends_its_workers_is_put_aside_without_being_read_again(deadly: Project, store: str) -> None:
    with (deadly.directory / "tasks.py").open("a") as file:
        file.write(READ_DEADLY)
    text = (deadly.directory / "messenger.yaml").read_text()
    text += "    Deadly: async\n"
    if store == "sql":
        text = text.replace("'%env(MESSENGER_TRANSPORT_DSN)%'", "'doctrine://default?queue_name=a'", 1)
        text = text.replace("{stream: async, claim_interval: 200, ", "{")
    deadly.write("messenger.yaml", text)
    deadly.run("dispatch", "Deadly", '{"name": "a"}')
    for _ in range(2):
        assert deadly.start("consume", "async").code() < 0, "reading it kills its process"
    deadly.run("dispatch", "App\\Message\\Task", '{"name": "b"}')
    survivor = deadly.start("consume", "async", "--limit", "2")
    assert survivor.code() == 0, survivor.log
    assert deadly.events("start") == ["start b"]
    [kept] = deadly.json("failed", "show")["messages"]
    assert "handed out 2 times and never settled" in kept["error"]
    assert deadly.left() == (0, 0, 0)
