"""A worker that is left behind: Supervisor starts the next one at once, and both work (worker/detach.py)."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from messenger.control.plane import WorkerInfo
from tests.integration.supervisor.pool import Pool, module
from tests.integration.supervisor.supervisord import Supervisord
from tests.integration.worker.project import Project

LAYOUTS = pytest.mark.parametrize("layout", ["numprocs", "slots"])
# What SIGUSR2 meets in a process of these words: a worker that may be left behind, a plain one, one that starts.
HANDLES = "import signal; signal.signal(signal.SIGUSR2, print); print('up', flush=True); signal.pause()"
STARTS = "import signal; print('up', flush=True); signal.pause()"


def detached_log(supervisord: Supervisord, name: str) -> str:
    path = supervisord.directory / f"detached-{name}.log"
    return path.read_text() if path.exists() else ""


def wait_for_busy(project: Project) -> WorkerInfo:
    """The worker that has message `a` in hand."""
    project.wait_for_event("start a")
    found: list[WorkerInfo] = []

    def there() -> bool:
        found[:] = [worker for worker in project.registered() if worker.state == "busy"]
        return bool(found)

    project.wait_until(there, "the registry to say so")
    return found[0]


def with_detach_log(supervisord: Supervisord, process_name: str) -> str:
    return f"async --min-uptime 1.5 --detach-log {supervisord.directory}/detached-{process_name}.log"


def test_supervisor_starts_the_next_one_while_it_still_works(project: Project, supervisord: Supervisord) -> None:
    arguments = with_detach_log(supervisord, "%(program_name)s_%(process_num)02d")
    supervisord.start(project.directory, project.environment, arguments, numprocs=2, startretries=0)
    project.wait_for_workers(2, "idle")
    project.send("a", "wait")
    busy = wait_for_busy(project)
    answer = project.json("stop-workers", "--host", "here", "--wait", "25")
    assert (answer["gone"], answer["remaining"], answer["detached"]) == (2, [], [busy.id])
    supervisord.wait_for("entered RUNNING state", times=4)
    passed = project.json("workers", "--host", "here", "--until-release", "-", "--count", "2", "--stable", "1")
    assert passed["reached"] is True
    states = {worker["id"]: worker["state"] for worker in passed["workers"]}
    assert states.pop(busy.id) == "detached"
    assert list(states.values()) == ["idle", "idle"]
    project.send("b")
    project.wait_for_event("done b")
    project.go("a")
    project.wait_for_workers(2, "idle")
    assert project.events() == ["start a", "start b", "done b", "done a"]
    assert project.left() == (0, 0, 0)
    assert "message_handled" in detached_log(supervisord, busy.process)
    for word in ("FATAL", "BACKOFF", "SIGKILL", "not expected"):
        assert word not in supervisord.log


@LAYOUTS
def test_a_changed_program_is_replaced_without_waiting(
    project: Project, pool: Pool, supervisord: Supervisord, layout: str
) -> None:
    name = "%(program_name)s_%(process_num)02d" if layout == "numprocs" else "%(program_name)s"
    pool.arguments = with_detach_log(supervisord, name)
    pool.change(layout, 2)
    first = {worker.id for worker in project.wait_for_workers(2, "idle")}
    project.send("a", "wait")
    busy = wait_for_busy(project)
    pool.arguments += " --limit 1000"
    changed = pool.change(layout, 2, detach=True)
    assert [ended["exit"] for ended in changed["stopped"]] == [0, 0]
    assert (len(changed["started"]), changed["kept"]) == (2, [])
    workers = {worker.id: worker for worker in project.wait_for_workers(3)}
    assert workers[busy.id].state == "detached"
    assert len(first & set(workers)) == 1
    project.go("a")
    project.wait_for_workers(2, "idle")
    assert project.events() == ["start a", "done a"]
    assert "App\\Message\\Task" in detached_log(supervisord, busy.process)
    for word in ("SIGKILL", "SIGUSR", "not expected"):
        assert word not in supervisord.log


@LAYOUTS
def test_a_worker_that_cannot_go_on_alone_is_waited_for(project: Project, pool: Pool, layout: str) -> None:
    pool.change(layout, 1)
    project.wait_for_workers(1, "idle")
    project.send("a", "sleep 1")
    project.wait_for_event("start a")
    pool.arguments = "async --limit 1000"
    changed = pool.change(layout, 1, detach=True)
    assert project.events() == ["start a", "done a"]
    assert [ended["exit"] for ended in changed["stopped"]] == [0]


def test_without_detach_the_module_waits(project: Project, pool: Pool, supervisord: Supervisord) -> None:
    pool.arguments = with_detach_log(supervisord, "pool")
    pool.change("slots", 1)
    project.wait_for_workers(1, "idle")
    project.send("a", "sleep 1")
    project.wait_for_event("start a")
    assert [ended["exit"] for ended in pool.change("slots", 0)["stopped"]] == [0]
    assert project.events() == ["start a", "done a"]


def test_supervisor_s_own_stop_waits(project: Project, supervisord: Supervisord) -> None:
    supervisord.start(project.directory, project.environment, with_detach_log(supervisord, "a"))
    supervisord.wait_for("entered RUNNING state")
    project.send("a", "sleep 1")
    project.wait_for_event("start a")
    supervisord.ctl("stop", "messenger-consume:*")
    assert project.events() == ["start a", "done a"]
    assert "stopped: messenger-consume_00 (exit status 0)" in supervisord.log
    assert not detached_log(supervisord, "a")


def test_what_supervisor_kills_is_killed_behind_its_front_too(project: Project, supervisord: Supervisord) -> None:
    arguments = with_detach_log(supervisord, "a")
    supervisord.start(project.directory, project.environment, arguments, stopwaitsecs=1)
    supervisord.wait_for("entered RUNNING state")
    project.send("a", "wait")
    project.wait_for_event("start a")
    (worker,) = project.wait_for_workers(1, "busy")
    supervisord.ctl("stop", "messenger-consume:*")
    assert "terminated by SIGKILL" in supervisord.log
    project.wait_until(lambda: not Path(f"/proc/{worker.pid}/cwd").exists(), "its end")
    project.go("a")
    assert project.events() == ["start a"]


@pytest.mark.parametrize(
    ("code", "words", "may"),
    [(HANDLES, ["--detach-log", "x"], True), (HANDLES, [], False), (STARTS, ["--detach-log", "x"], False)],
)
def test_only_those_are_sent_the_signal_that_know_it(code: str, words: list[str], may: bool) -> None:
    command = [sys.executable, "-c", code, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        found = module.may_detach(process.pid)
        process.send_signal(signal.SIGKILL)
    assert found is may
    assert module.may_detach(process.pid) is False
