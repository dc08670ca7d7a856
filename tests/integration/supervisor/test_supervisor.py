"""Workers under a real supervisord: they come back, they are waited for, they never loop hot."""

from __future__ import annotations

import os
import signal

import pytest

from tests.integration.supervisor.supervisord import Supervisord
from tests.integration.worker.project import Project


def test_stop_workers_brings_new_processes_and_nothing_fails(project: Project, supervisord: Supervisord) -> None:
    supervisord.start(project.directory, project.environment, "async --min-uptime 1.5", numprocs=2)
    first = project.wait_for_workers(2, "idle")
    assert sorted(worker.process for worker in first) == ["messenger-consume_00", "messenger-consume_01"]
    assert {worker.pool for worker in first} == {"messenger-consume"}
    assert sorted(worker.pid for worker in first) == sorted(supervisord.spawns())
    assert project.json("stop-workers", "--host", "here", "--wait", "25")["gone"] == 2
    supervisord.wait_for("entered RUNNING state", times=4)
    again = project.wait_for_workers(2, "idle")
    assert {worker.pid for worker in again} == set(supervisord.spawns()[2:])
    assert not {worker.pid for worker in again} & {worker.pid for worker in first}
    for word in ("FATAL", "BACKOFF", "SIGKILL", "not expected"):
        assert word not in supervisord.log
    project.send("a")
    project.wait_for_event("done a")


def test_a_limit_right_after_the_start_is_no_failed_start(project: Project, supervisord: Supervisord) -> None:
    for number in range(2):
        project.send(str(number))
    supervisord.start(project.directory, project.environment, "async --limit 1 --min-uptime 1.5", startretries=0)
    project.wait_for_event("done 1")
    supervisord.wait_for("spawned", times=3)
    assert "FATAL" not in supervisord.log
    assert project.events("done") == ["done 0", "done 1"]


def test_a_killed_worker_is_started_again_and_its_message_handled(project: Project, supervisord: Supervisord) -> None:
    text = (project.directory / "messenger.yaml").read_text()
    project.write("messenger.yaml", text.replace("claim_interval: 200", "claim_interval: 200, redeliver_timeout: 1"))
    supervisord.start(project.directory, project.environment, "async")
    supervisord.wait_for("entered RUNNING state")
    project.send("a", "wait")
    project.wait_for_event("start a")
    project.go("a")  # for the one that comes after
    (pid,) = supervisord.spawns()
    os.kill(pid, signal.SIGKILL)
    supervisord.wait_for("spawned", times=2)
    project.wait_until(lambda: project.left() == (0, 0, 0), "handled and acknowledged")
    assert project.events("done") == ["done a"]
    assert "FATAL" not in supervisord.log


@pytest.mark.parametrize(("arguments", "text"), [("async", "import no_such_library\n"), ("async --nonsense", "")])
def test_even_startsecs_0_makes_no_hot_loop(
    project: Project, supervisord: Supervisord, arguments: str, text: str
) -> None:
    if text:
        project.write("tasks.py", text)
    supervisord.start(project.directory, project.environment, arguments, startsecs=0)
    supervisord.wait_for(" exited: ")
    lives = supervisord.lives()
    assert lives, supervisord.log
    assert min(lives) >= 1.9, f"each lives two seconds; a slow machine only makes it longer: {supervisord.log}"
    assert f"exit status {64 if '--' in arguments else 78}" in supervisord.log
    assert "Traceback" not in supervisord.worker_log()


def test_stop_waits_for_the_handler(project: Project, supervisord: Supervisord) -> None:
    supervisord.start(project.directory, project.environment, "async")
    supervisord.wait_for("entered RUNNING state")
    project.send("a", "sleep 1")
    project.send("b")
    project.wait_for_event("start a")
    assert "messenger-consume_00: stopped" in supervisord.ctl("stop", "messenger-consume:*")
    assert project.events() == ["start a", "done a"]
    assert project.left() == (1, 0, 0)
    assert "stopped: messenger-consume_00 (exit status 0)" in supervisord.log
    assert "SIGKILL" not in supervisord.log


def test_a_worker_that_waits_for_redis_counts_as_running(project: Project, supervisord: Supervisord) -> None:
    project.server.stop()
    supervisord.start(project.directory, project.environment, "async", startretries=0)
    supervisord.wait_for("entered RUNNING state")
    project.wait_until(lambda: "waiting_for redis at" in supervisord.worker_log(), "it says what it waits for")
    project.server.start()
    project.send("a")
    project.wait_for_event("done a")
    assert len(supervisord.spawns()) == 1


def test_the_end_of_supervisord_waits_for_the_handler_too(project: Project, supervisord: Supervisord) -> None:
    supervisord.start(project.directory, project.environment, "async")
    supervisord.wait_for("entered RUNNING state")
    project.send("a", "sleep 1")
    project.wait_for_event("start a")
    supervisord.stop()
    assert project.events() == ["start a", "done a"]
    assert "SIGKILL" not in supervisord.log
