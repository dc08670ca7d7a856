"""A process that a handler forks is no second worker: it ends where its handler ends."""

from __future__ import annotations

import pytest

from tests.integration.worker.project import TASKS, Project

# How the child leaves the handler -> its exit code.
LEAVES = {"return": 0, "sys.exit(7)": 7, "sys.exit('over')": 1, "raise ValueError('boom')": 1}
DONE = '    event("done", task.name)\n'
FORK = """
    child = os.fork()
    if child == 0:
        print("in the child")
        LEAVE
    event("code", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
MIDDLEWARE = """

def leaving(envelope):
    LEAVE
    return envelope


class Forks:
    def handle(self, envelope, following):
        child = os.fork()
        if child == 0:
            print("in the child")
            return leaving(envelope)
        event("code", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        return following(envelope)
"""


def forking(project: Project, kind: str, leave: str) -> None:
    assert DONE in TASKS
    tasks = TASKS.replace(DONE, FORK.replace("LEAVE", leave) + DONE, 1)
    if kind == "async":
        tasks = tasks.replace("@handler\ndef on_task", "@handler\nasync def on_task")
    elif kind == "timeout":
        tasks = tasks.replace("@handler\ndef on_task", "@handler(timeout=20)\ndef on_task")
    elif kind == "middleware":
        tasks = TASKS + MIDDLEWARE.replace("LEAVE", "pass" if leave == "return" else leave)
        text = (project.directory / "messenger.yaml").read_text()
        project.write("messenger.yaml", text + "  buses: {default: {middleware: [tasks.Forks]}}\n")
    project.write("tasks.py", tasks)


@pytest.mark.parametrize("kind", ["plain", "async", "timeout", "middleware"])
@pytest.mark.parametrize("leave", LEAVES)
def test_it_ends_with_the_handler_and_its_parent_alone_settles(project: Project, leave: str, kind: str) -> None:
    forking(project, kind, leave)
    for name in "ab":
        project.send(name)
    worker = project.worker("async", "--limit", "2", PYTHONUNBUFFERED="")
    assert worker.code() == 0
    assert project.events("start") == ["start a", "start b"]
    assert project.events("code") == [f"code {LEAVES[leave]}"] * 2
    assert worker.log.count("message_handled") == 2
    assert worker.log.count("worker_stopped") == 1
    assert worker.log.count("in the child\n") == 2
    assert ("child_failed" in worker.log) == (LEAVES[leave] == 1)
    assert project.left() == (0, 0, 0)
