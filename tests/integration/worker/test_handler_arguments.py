"""A worker gives its handlers what the application's setup function provides."""

from __future__ import annotations

from tests.integration.worker.project import TASKS, YAML, Project

ASKS = """
class Mark:
    text = "marked"

def setup(application):
    application.provide(Mark())

@handler(alias="asks")
def with_more(task: Task, envelope: Envelope, mark: Mark):
    event(mark.text, f"{task.name}-{len(envelope.stamps) > 0}")
"""


def tasks(project: Project, *, setup: bool) -> None:
    project.write("tasks.py", TASKS.replace("import RecoverableError", "import Envelope, RecoverableError") + ASKS)
    if setup:
        project.write("messenger.yaml", YAML.replace("handlers: [tasks]", "handlers: [tasks]\n  setup: tasks.setup"))


def test_a_handler_gets_what_setup_provides(project: Project) -> None:
    tasks(project, setup=True)
    project.send("a")
    assert project.start("consume", "async", "--limit", "1").code() == 0
    assert project.events("marked") == ["marked a-True"]


def test_what_nothing_provides_ends_every_command_before_a_message_is_taken(project: Project) -> None:
    tasks(project, setup=False)
    project.send("a")
    where = f"messenger: {project.directory / 'tasks.py'}:"
    for command in (("debug",), ("consume", "async")):
        assert project.run(*command, code=78).stderr.startswith(where)
    assert project.events() == []
    assert project.left() == (1, 0, 0)
