"""Two applications on one stream, each with a group of its own: what fails in one is no business of the other."""

from __future__ import annotations

import signal

from tests.integration.worker.project import LONG, TASKS, Project
from tests.support.servers import wait_until

HANDLER = """
@handler
def on_task(task: Task):
    group = os.environ["GROUP"]
    event("start", f"{task.name}-{group}")
    if os.environ.get("FAILS") == "yes":
        raise ValueError("boom")
    act(task)
    event("done", f"{task.name}-{group}")
"""


def prepare(project: Project) -> None:
    start, end = TASKS.index("@handler\ndef on_task"), TASKS.index("@handler\nasync def")
    project.write("tasks.py", TASKS[:start] + HANDLER.strip() + "\n\n\n" + TASKS[end:])
    for group in ("one", "two"):
        of(project, group).run("setup-transports")


def of(project: Project, group: str, fails: str = "no") -> Project:
    """From now on its commands are those of the application that has this group."""
    dsn = project.server.url(f"?group={group}&redeliver_timeout=1")
    project.environment |= {"MESSENGER_TRANSPORT_DSN": dsn, "GROUP": group, "FAILS": fails}
    return project


def wait_until_empty(project: Project) -> None:
    def empty() -> bool:
        with project.server.client() as client:
            return (client.xlen("async"), client.zcard("async__queue")) == (0, 0)

    wait_until(empty, LONG, "the stream is empty")


def test_retries_and_the_failure_store_are_for_the_group_that_failed(project: Project) -> None:
    prepare(project)
    project.send("a")
    failing, other = of(project, "one", fails="yes").worker(), of(project, "two").worker()
    failing.wait_for("message_failed")
    project.wait_for_event("done a-two")
    wait_until_empty(project)
    assert sorted(project.events()) == ["done a-two", "start a-one", "start a-one", "start a-two"]
    failing.signal(signal.SIGTERM)
    assert failing.code() == 0
    of(project, "one").run("failed", "retry", "--all")
    project.worker()
    project.wait_for_event("done a-one")
    wait_until_empty(project)
    assert project.events().count("start a-two") == 1
    assert project.json("failed", "show")["messages"] == []
    other.signal(signal.SIGTERM)
    assert other.code() == 0


def test_a_worker_killed_in_one_group_is_taken_over_in_that_group(project: Project) -> None:
    prepare(project)
    killed = of(project, "one").worker()
    project.send("b", "wait")
    project.wait_for_event("start b-one")
    killed.signal(signal.SIGKILL)
    project.go("b")
    of(project, "two").worker()
    project.wait_for_event("done b-two")
    of(project, "one").worker().wait_for("delivery=2")
    wait_until_empty(project)
    assert sorted(project.events()) == ["done b-one", "done b-two", "start b-one", "start b-one", "start b-two"]
