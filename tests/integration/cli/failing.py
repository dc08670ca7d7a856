"""An application with failed messages, and what to do about them."""

from __future__ import annotations

from typing import Any

from tests.integration.worker.project import Project

SQLITE = "failed: 'doctrine://default?queue_name=failed'"
REDIS = "failed: {dsn: '%env(MESSENGER_TRANSPORT_DSN)%', options: {stream: failed}}"
GIVE_UP = 'raise UnrecoverableError(f"hopeless {task.name}")'


def edit(project: Project, file: str, old: str, new: str) -> None:
    """Change one of the application's files; the text must be there."""
    text = (project.directory / file).read_text()
    assert old in text, f"{old!r} is not in {file}:\n{text}"
    project.write(file, text.replace(old, new))


def fail(project: Project, *names: str, unknown: int = 0) -> None:
    """Let messages fail for good: first so many of an unknown class, then one for each name."""
    for _ in range(unknown):
        project.send("x", type_="App\\Message\\New")
    for name in names:
        project.send(name, "give-up")
    project.work(unknown + len(names))


def mend(project: Project, line: str = "pass") -> None:
    """Deploy a release that does this instead of giving up."""
    edit(project, "tasks.py", GIVE_UP, line)


def listed(project: Project, *arguments: str) -> list[Any]:
    """What `failed show` lists."""
    found: list[Any] = project.json("failed", "show", *arguments)["messages"]
    return found


def ids(project: Project) -> list[str]:
    """The ids of what is listed."""
    return [message["id"] for message in listed(project)]


def add_second_failure_transport(project: Project) -> None:
    """`other`, for the messages of `high`."""
    edit(
        project, "messenger.yaml", "options: {stream: high}", "options: {stream: high}\n      failure_transport: other"
    )
    other = "    other: 'doctrine://default?queue_name=other'\n  routing:"
    edit(project, "messenger.yaml", "  routing:", other)
