"""The role's gate looks at real workers under a real supervisord, and says which of them are not well, and why."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable
from typing import Any
from unittest.mock import ANY

import pytest

from messenger.control.plane import Control, WorkerInfo
from messenger.control.processes import start_ticks
from messenger.redis.dsn import parse_redis_dsn
from tests.integration.supervisor.supervisord import Supervisord
from tests.integration.worker.project import Project
from tests.support.modules import MODULES, load

GATE = load(MODULES / "gate_info.py")
STOP = load(MODULES / "stop_workers.py")

NO_WORKER = "import sys; assert 'consume' not in sys.argv, 'no worker today'"

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def asked(project: Project, supervisord: Supervisord) -> Ask:
    """The module's parameters, for release `new` of this project."""
    variables = shlex.join(f"{name}={value}" for name, value in project.environment.items())
    lines = ["#!/bin/sh", f"cd {project.directory}", f'exec env {variables} {sys.executable} -m messenger.cli "$@"', ""]
    cli = project.write("messenger", "\n".join(lines))
    cli.chmod(0o755)

    def parameters(**changed: Any) -> dict[str, Any]:
        return {
            "cli": str(cli),
            "host": "here",
            "programs": ["messenger-consume"],
            "release": "new",
            "leave": "none",
            "signal": False,
            "started": True,
            "timeout": 60.0,
            "stable": 0.0,
            "failures_before": 0,
            "failures_allowed": 0,
            "log_dir": str(supervisord.directory),
            "config": str(supervisord.conf),
            **changed,
        }

    return parameters


def test_as_whom_supervisord_runs(project: Project, supervisord: Supervisord) -> None:
    start(project, supervisord)
    answer = load(MODULES / "workers_info.py").supervisord(str(supervisord.conf), ["messenger-consume"])
    assert (answer["answers"], answer["user_id"]) == (True, os.geteuid())


def passed(asked: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """What the module answers about those that are there, and what is wrong."""
    answer, problems = roll_out(asked)
    assert (answer.pop("asked_to_leave"), answer.pop("changed")) == ([], False)
    return answer, problems


def roll_out(asked: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """What rollout.yml does: have workers leave, then wait at the gate; what the modules answer, and what is wrong."""
    common = {name: asked[name] for name in ("cli", "host", "programs", "timeout", "config")}
    answer: dict[str, Any] = {"asked_to_leave": [], "changed": False}
    pids: list[int] = []
    if asked["leave"] != "none":
        kept = asked["release"] if asked["leave"] == "older" else ""
        stopped, problems = STOP.stop({**common, "keep_release": kept, "signal": asked["signal"]})
        answer, pids = {"asked_to_leave": stopped["workers"], "changed": stopped["changed"]}, stopped["pids"]
        if problems:
            return answer, problems
    before = asked["failures_before"] if asked["started"] or pids else -1
    gate = {name: asked[name] for name in ("release", "stable", "failures_allowed", "log_dir")}
    there, problems = GATE.evaluate({**common, **gate, "leaving": pids, "failures_before": before})
    return {**answer, **there}, problems


def failing(project: Project) -> int:
    """Attempts that failed in the last minute, as a deploy learns it from `messenger check` before the switch."""
    workers = project.json("check", "--format", "json", code=None)["workers"]
    return sum(worker["failed_last_minute"] for worker in workers if worker["state"] != "detached")


def start(project: Project, supervisord: Supervisord, release: str = "new", **values: int) -> None:
    supervisord.start(project.directory, project.environment | {"MESSENGER_RELEASE": release}, "async", **values)


def start_on_revision_old(project: Project, supervisord: Supervisord) -> set[int]:
    """Two workers on release `old`, that come back on `new` when they leave; their pids."""
    project.write("REVISION", "old")
    supervisord.start(project.directory, project.environment, "async", numprocs=2)
    pids = {worker.pid for worker in project.wait_for_workers(2, "idle")}
    project.write("REVISION", "new")
    return pids


def test_workers_that_are_well_pass(project: Project, supervisord: Supervisord, asked: Ask) -> None:
    start(project, supervisord, numprocs=2)
    assert passed(asked()) == ({"processes": 2, "left": [], "background": []}, [])


def test_workers_of_another_release_do_not(project: Project, supervisord: Supervisord, asked: Ask) -> None:
    start(project, supervisord, "old")
    project.wait_for_workers(1, "idle")
    there, (problem,) = passed(asked(timeout=0.0))
    assert there["processes"] == 1
    assert "is on release old (idle)" in problem


def test_a_crash_loop_that_supervisor_calls_running(project: Project, supervisord: Supervisord, asked: Ask) -> None:
    project.write("tasks.py", NO_WORKER)
    start(project, supervisord, startsecs=0)
    supervisord.wait_for("spawned")
    _, problems = passed(asked(timeout=600.0))
    said = "; ".join(problems)
    assert "messenger-consume_00 was started " in said or "messenger-consume_00 is " in said
    assert "the log of messenger-consume_00 says: " in said
    assert "no worker today" in said


def test_a_program_that_supervisor_gave_up(project: Project, supervisord: Supervisord, asked: Ask) -> None:
    project.write("tasks.py", NO_WORKER)
    start(project, supervisord, startsecs=30, startretries=0)
    supervisord.wait_for("entered FATAL state")
    _, problems = passed(asked(timeout=600.0))
    assert any(problem.startswith("messenger-consume_00 is FATAL (") for problem in problems), problems


def test_more_failures_than_before(project: Project, supervisord: Supervisord, asked: Ask) -> None:
    start(project, supervisord)
    project.wait_for_workers(1, "idle")
    for name in ("a", "b"):
        project.send(name, "give-up")
    project.wait_until(lambda: any(worker.failed_last_minute == 2 for worker in project.registered()), "two failures")
    assert failing(project) == 2
    assert passed(asked(failures_before=2)) == ({"processes": 1, "left": [], "background": []}, [])
    assert passed(asked(failures_allowed=2)) == ({"processes": 1, "left": [], "background": []}, [])
    assert passed(asked(failures_before=-1)) == ({"processes": 1, "left": [], "background": []}, [])
    _, problems = passed(asked(failures_before=1))
    assert problems[0].startswith("2 attempts failed in the last minute, 1 may: ")
    assert "in the minute before the switch 1 failed" in problems
    assert any("hopeless b" in problem for problem in problems), problems


def test_what_was_stopped_by_hand_does_not_count(project: Project, supervisord: Supervisord, asked: Ask) -> None:
    start(project, supervisord, numprocs=2)
    supervisord.wait_for("entered RUNNING state", times=2)
    supervisord.ctl("stop", "messenger-consume:messenger-consume_01")
    assert passed(asked()) == ({"processes": 1, "left": ["messenger-consume_01"], "background": []}, [])


def forge(project: Project, number: int = 0, **values: Any) -> str:
    """What somebody else writes into the registry; its id."""
    info = worker_info(f"here-forged-{number}", "here", **values)
    control = Control(parse_redis_dsn("control", project.server.url()), "test")
    control.report(info)
    control.close()
    return info.id


def worker_info(worker_id: str, host: str, **values: Any) -> WorkerInfo:
    given: dict[str, Any] = {"pid": 2**22, "release": "old", "state": "busy", "failed_last_minute": 1000}
    given |= {"start_ticks": 1} | values
    return WorkerInfo(
        id=worker_id,
        host=host,
        pool="",
        process="messenger-consume_09",
        transports=[],
        waiting_for=None,
        message=None,
        handled=0,
        failed=0,
        memory_bytes=0,
        started_at="now",
        uptime_seconds=9.0,
        **given,
    )


def forge_all(project: Project) -> None:
    """Entries without a process, of the first process, of one of no worker, and copies of those that are there."""
    there = project.registered()
    forge(project, 1)
    forge(project, 2, pid=1, start_ticks=0)
    forge(project, 3, pid=os.getpid(), start_ticks=start_ticks(os.getpid()))
    forge(project, 4, state="detached")
    for number, worker in enumerate(there, start=5):
        forge(project, number, pid=worker.pid, start_ticks=worker.start_ticks, failed_last_minute=0)


def test_entries_without_a_process_of_supervisor_shut_no_gate(
    project: Project, supervisord: Supervisord, asked: Ask
) -> None:
    start(project, supervisord, numprocs=2)
    project.wait_for_workers(2, "idle")
    forge_all(project)
    assert passed(asked(timeout=0.0)) == ({"processes": 2, "left": [], "background": []}, [])


def test_entries_without_a_process_of_supervisor_open_no_gate(
    project: Project, supervisord: Supervisord, asked: Ask
) -> None:
    project.write("tasks.py", NO_WORKER)
    start(project, supervisord, startsecs=30, startretries=0)
    supervisord.wait_for("entered FATAL state")
    for number in range(3):
        forge(project, number, release="new", state="idle", failed_last_minute=0)
    _, problems = passed(asked(timeout=0.0))
    assert any(problem.startswith("messenger-consume_00 is FATAL (") for problem in problems), problems


def test_a_worker_that_was_started_by_hand_is_not_counted(
    project: Project, supervisord: Supervisord, asked: Ask
) -> None:
    start(project, supervisord)
    project.worker("high", MESSENGER_RELEASE="old")
    project.wait_for_workers(2, "idle")
    assert passed(asked(timeout=0.0)) == ({"processes": 1, "left": [], "background": []}, [])


def test_who_has_no_process_is_not_waited_for(project: Project, supervisord: Supervisord, asked: Ask) -> None:
    pids = start_on_revision_old(project, supervisord)
    forge_all(project)
    answer, problems = roll_out(asked(leave="older", timeout=30.0))
    assert problems == []
    assert {worker["pid"] for worker in answer["asked_to_leave"]} == pids
    assert {worker["outcome"] for worker in answer["asked_to_leave"]} == {"left"}
    assert answer["background"] == []


def test_a_supervisord_that_is_away(supervisord: Supervisord, asked: Ask) -> None:
    supervisord.write()
    with pytest.raises(GATE.NoAnswer, match="Supervisor cannot say how its processes are: "):
        passed(asked())


def test_who_finishes_in_the_background_is_said_and_not_judged(
    project: Project, supervisord: Supervisord, asked: Ask
) -> None:
    environment = project.environment | {"MESSENGER_RELEASE": "old"}
    supervisord.start(project.directory, environment, f"async --detach-log {supervisord.directory}/detached.log")
    supervisord.wait_for("entered RUNNING state")
    project.send("fails", "give-up")
    project.send("a", "wait")
    project.wait_for_event("start a")
    (old,) = project.wait_for_workers(1, "busy")
    assert failing(project) > 0
    start = supervisord.program(project.directory, environment | {"MESSENGER_RELEASE": "new"}, "async")
    supervisord.write(start)
    project.run("stop-workers", "--wait", "25")
    supervisord.ctl("update")
    there, problems = passed(asked())
    assert problems == []
    message = {"id": old.message and old.message.id, "type": "App\\Message\\Task"}
    (left,) = there["background"]
    assert {name: left["message"].pop(name) for name in message} == message
    assert left == {"pid": old.pid, "process": old.process, "release": "old", "message": {"seconds": ANY}}
    assert failing(project) == 0
    project.go("a")
    project.wait_for_event("done a")


def test_older_workers_leave_first_and_their_processes_were_not_started_twice(
    project: Project, supervisord: Supervisord, asked: Ask
) -> None:
    old = start_on_revision_old(project, supervisord)
    answer, problems = roll_out(asked(leave="older"))
    assert (problems, answer["changed"], answer["processes"]) == ([], True, 2)
    assert {row["pid"]: row["outcome"] for row in answer["asked_to_leave"]} == dict.fromkeys(old, "left")
    new = {worker.pid for worker in project.wait_for_workers(2, "idle")}
    assert new.isdisjoint(old)
    again, problems = roll_out(asked(leave="older"))
    assert (problems, again["changed"], again["asked_to_leave"]) == ([], False, [])
    everyone, problems = roll_out(asked(leave="all"))
    assert (problems, {row["pid"] for row in everyone["asked_to_leave"]}) == ([], new)


def test_who_does_not_leave_is_named_with_the_message(project: Project, supervisord: Supervisord, asked: Ask) -> None:
    start(project, supervisord, "old")
    project.send("a", "wait")
    project.wait_for_workers(1, "busy")
    answer, (problem,) = roll_out(asked(leave="older", timeout=0.5))
    assert "processes" not in answer, "the gate is not waited at"
    assert re.fullmatch(
        r"messenger-consume_00 \(pid \d+\) did not leave in [\d.]+ s and still has App\\Message\\Task \S+ in hand",
        problem,
    )
    project.go("a")
    project.wait_for_event("done a")


def test_workers_that_cannot_be_asked_are_told_by_a_signal(
    project: Project, supervisord: Supervisord, asked: Ask
) -> None:
    """Here because the command asks for another host; in a deploy because their Redis is another one."""
    old = start_on_revision_old(project, supervisord)
    answer, problems = roll_out(asked(leave="older", signal=True, host="elsewhere", timeout=20.0))
    assert (answer["asked_to_leave"], answer["changed"], answer["processes"]) == ([], True, 2)
    assert problems == ["2 workers wanted on elsewhere, 0 there"], "that they came back was not a second start"
    assert {worker.pid for worker in project.wait_for_workers(2, "idle")}.isdisjoint(old)
    answer, _ = roll_out(asked(leave="older", host="elsewhere", timeout=0.0))
    assert not answer["changed"], "nobody is told unasked"


def test_failures_are_not_judged_where_nothing_was_started(
    project: Project, supervisord: Supervisord, asked: Ask
) -> None:
    start(project, supervisord)
    project.wait_for_workers(1, "idle")
    project.send("a", "give-up")
    project.wait_until(lambda: any(worker.failed_last_minute for worker in project.registered()), "a failure")
    assert passed(asked(started=False))[1] == []
    assert passed(asked(started=True))[1] != []
