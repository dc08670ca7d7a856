"""The role's module brings a real supervisord to a changed configuration, and tells what became of each process."""

from __future__ import annotations

import re

import pytest

from tests.integration.supervisor.pool import Pool, module, names, supervise
from tests.integration.supervisor.supervisord import Supervisord
from tests.integration.worker.project import Project

STUBBORN = """
[program:pool-{number:02d}]
command=/bin/sh -c "trap '' TERM; echo ready; while :; do sleep 0.1; done"
stdout_logfile={directory}/pool-{number:02d}.log
stopwaitsecs=1
killasgroup=true
"""


def pids(supervisord: Supervisord) -> list[int]:
    return [int(pid) for pid in re.findall(r"pid (\d+)", supervisord.ctl("status"))]


def test_a_slot_more_or_less_leaves_the_others_alone(project: Project, pool: Pool) -> None:
    assert names(pool.change("slots", 2)["started"]) == ["pool-00", "pool-01"]
    first = {worker.process: worker.pid for worker in project.wait_for_workers(2, "idle")}
    project.send("a", "wait")
    project.wait_for_event("start a")
    grown = pool.change("slots", 3)
    assert grown["kept"] == [{"process": name, "pid": pid} for name, pid in first.items()]
    assert (names(grown["started"]), grown["stopped"], grown["added"]) == (["pool-02"], [], ["pool-02"])
    assert {worker.pool for worker in project.wait_for_workers(3)} == {"pool"}
    assert pool.change("slots", 3)["changed"] is False
    project.go("a")
    project.wait_for_event("done a")
    shrunk = pool.change("slots", 2)
    assert shrunk["kept"] == grown["kept"]
    assert [(ended["process"], ended["exit"]) for ended in shrunk["stopped"]] == [("pool-02", 0)]
    assert project.events() == ["start a", "done a"]


@pytest.mark.parametrize("layouts", [("numprocs", "slots"), ("slots", "numprocs")])
def test_from_one_layout_to_the_other_a_message_is_finished_first(
    project: Project, pool: Pool, supervisord: Supervisord, layouts: tuple[str, str]
) -> None:
    pool.change(layouts[0], 2)
    project.wait_for_workers(2, "idle")
    project.send("a", "sleep 1")
    project.wait_for_event("start a")
    changed = pool.change(layouts[1], 2)
    assert project.events() == ["start a", "done a"]
    assert [ended["exit"] for ended in changed["stopped"]] == [0, 0]
    assert (len(changed["started"]), changed["kept"]) == (2, [])
    project.send("b")
    project.wait_for_event("done b")
    assert "SIGKILL" not in supervisord.log


def test_what_supervisor_had_to_kill_is_said(supervisord: Supervisord) -> None:
    supervisord.write(*(STUBBORN.format(number=number, directory=supervisord.directory) for number in range(3)))
    supervisord.launch()
    supervisord.wait_for("entered RUNNING state", times=3)
    supervisord.write(STUBBORN.format(number=0, directory=supervisord.directory))
    owned = {f"pool-{number:02d}" for number in range(3)}
    result = supervise(supervisord, {"pool-00"}, owned)
    assert [(ended["process"], ended["exit"]) for ended in result["stopped"]] == [("pool-01", -1), ("pool-02", -1)]
    assert names(result["kept"]) == ["pool-00"]


def test_a_program_that_is_not_there_stops_nothing(pool: Pool, supervisord: Supervisord) -> None:
    (before,) = pool.change("slots", 1)["started"]
    supervisord.wait_for("entered RUNNING state")
    supervisord.write()
    with pytest.raises(module.Refused, match="does not find pool-00 in its configuration; nothing was stopped"):
        supervise(supervisord, {"pool-00"}, set())
    assert pids(supervisord) == [before["pid"]]


def test_a_configuration_that_cannot_be_read_stops_nothing(pool: Pool, supervisord: Supervisord) -> None:
    (before,) = pool.change("slots", 1)["started"]
    supervisord.wait_for("entered RUNNING state")
    supervisord.write("[program:pool-00]\n")
    with pytest.raises(module.Refused, match=r"cannot read its configuration: .*does not specify a command"):
        supervise(supervisord, {"pool-00"}, set())
    assert pids(supervisord) == [before["pid"]]


@pytest.mark.parametrize("layout", ["numprocs", "slots"])
def test_what_was_stopped_by_hand_stays_so(project: Project, pool: Pool, supervisord: Supervisord, layout: str) -> None:
    pool.change(layout, 1)
    project.wait_for_workers(1, "idle")
    (program,) = pool.write(layout, 1)
    supervisord.ctl("stop", f"{program}:*")
    pool.write(layout, 2)
    result = supervise(supervisord, {program}, {program})
    left = {"numprocs": "pool:pool_00", "slots": "pool-00:pool-00"}[layout]
    assert (result["left"], result["processes"], result["changed"]) == ([left], 0, False)
    assert pids(supervisord) == []
    (supervisord.directory / "stopping").write_text(f"{program}\n")  # a run that was cut off had stopped it
    result = supervise(supervisord, {program}, {program})
    assert (result["left"], len(result["started"])) == ([], result["processes"])


def test_one_process_of_several_that_was_stopped_by_hand_stays_so(
    project: Project, pool: Pool, supervisord: Supervisord
) -> None:
    pool.change("numprocs", 2)
    project.wait_for_workers(2, "idle")
    supervisord.ctl("stop", "pool:pool_01")
    (running,) = pids(supervisord)
    result = supervise(supervisord, {"pool"}, {"pool"})
    assert (result["left"], result["processes"], result["changed"]) == (["pool:pool_01"], 1, False)
    assert pids(supervisord) == [running]
    pool.write("numprocs", 3)  # the program changes, so that Supervisor starts all its processes
    result = supervise(supervisord, {"pool"}, {"pool"})
    assert (result["left"], names(result["started"])) == (["pool:pool_01"], ["pool_00", "pool_02"])
    assert re.findall(r"pool_(\d+) +STOPPED", supervisord.ctl("status")) == ["01"]
