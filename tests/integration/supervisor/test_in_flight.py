"""What becomes of the message in hand when Supervisor's patience ends, and when supervisord itself is killed."""

from __future__ import annotations

import os

import pytest

from tests.integration.supervisor.supervisord import Supervisord
from tests.integration.worker.project import Project

LEASE = "claim_interval: 200, redeliver_timeout: 1"


@pytest.fixture
def quick(project: Project) -> Project:
    """A message whose worker is gone is handed out again after a second."""
    text = (project.directory / "messenger.yaml").read_text()
    project.write("messenger.yaml", text.replace("claim_interval: 200", LEASE))
    return project


def test_a_handler_longer_than_stopwaitsecs_is_killed_and_its_message_handled_again(
    quick: Project, supervisord: Supervisord
) -> None:
    supervisord.start(quick.directory, quick.environment, "async", stopwaitsecs=1)
    supervisord.wait_for("entered RUNNING state")
    quick.send("a", "wait")
    quick.wait_for_event("start a")
    supervisord.ctl("stop", "messenger-consume:*")
    assert "killing 'messenger-consume_00'" in supervisord.log
    assert "terminated by SIGKILL" in supervisord.log
    assert quick.left() == (0, 1, 0)
    quick.write("tasks.py", (quick.directory / "tasks.py").read_text().replace("    act(task)", "    raise ValueError"))
    supervisord.ctl("start", "messenger-consume:*")
    quick.wait_until(lambda: "delivery=2" in supervisord.worker_log(), "the second delivery says that it is one")
    assert quick.events("start")[:2] == ["start a", "start a"]


def test_a_stop_deadline_below_it_hands_the_message_back_at_once(project: Project, supervisord: Supervisord) -> None:
    supervisord.start(project.directory, project.environment, "async --stop-deadline 1")
    supervisord.wait_for("entered RUNNING state")
    project.send("a", "wait")
    project.wait_for_event("start a")
    supervisord.ctl("stop", "messenger-consume:*")
    assert "(exit status 75)" in supervisord.log
    assert "SIGKILL" not in supervisord.log
    assert "handing back App\\Message\\Task" in supervisord.worker_log()
    project.go("a")
    supervisord.ctl("start", "messenger-consume:*")
    project.wait_until(lambda: project.left() == (0, 0, 0), "handled long before redeliver_timeout, an hour")
    assert project.events("done") == ["done a"]


def test_workers_of_a_killed_supervisord_finish_their_message_beside_those_of_the_next(
    project: Project, supervisord: Supervisord
) -> None:
    supervisord.start(project.directory, project.environment, "async")
    supervisord.wait_for("entered RUNNING state")
    (orphan,) = supervisord.spawns()
    project.send("a", "wait")
    project.wait_for_event("start a")
    supervisord.kill()
    supervisord.launch()
    workers = project.wait_for_workers(2)
    assert orphan in [worker.pid for worker in workers]
    project.send("b")
    project.wait_for_event("done b")  # by the new one
    project.go("a")
    project.wait_until(lambda: project.left() == (0, 0, 0), "both are handled")
    assert sorted(project.events()) == ["done a", "done b", "start a", "start b"]
    # What ends it politely: nobody starts it again.
    assert project.json("stop-workers", "--wait", "25")["gone"] == 2
    (left,) = project.wait_for_workers(1, "idle")
    assert left.pid in supervisord.spawns()
    with pytest.raises(ProcessLookupError):
        os.kill(orphan, 0)


def test_under_a_fixed_consumer_name_the_next_waits_for_the_orphan(project: Project, supervisord: Supervisord) -> None:
    text = (project.directory / "messenger.yaml").read_text()
    project.write("messenger.yaml", text.replace("{stream: async,", "{stream: async, consumer: one,"))
    environment = project.environment
    supervisord.start(project.directory, environment, "async")
    supervisord.wait_for("entered RUNNING state")
    project.send("a", "wait")
    project.wait_for_event("start a")
    supervisord.kill()
    supervisord.launch()
    project.wait_until(lambda: "the consumer name 'one'" in supervisord.worker_log(), "it says why it waits")
    project.go("a")
    project.wait_for_event("done a")
    os.kill(supervisord.orphans[0], 15)
    project.send("b")
    project.wait_for_event("done b")
    assert sorted(project.events()) == ["done a", "done b", "start a", "start b"]
