"""The role's module brings a real supervisord to a changed configuration, and tells what became of each process."""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from tests.integration.supervisor.supervisord import Supervisord
from tests.integration.worker.project import Project

ROOT = Path(__file__).resolve().parents[3]
STUBBORN = """
[program:pool-{number:02d}]
command=/bin/sh -c "trap '' TERM; echo ready; while :; do sleep 0.1; done"
stdout_logfile={directory}/pool-{number:02d}.log
stopwaitsecs=1
killasgroup=true
"""


def load() -> Any:
    spec = spec_from_file_location(
        "messenger_worker_supervisor", ROOT / "roles/messenger_worker/library/messenger_worker_supervisor.py"
    )
    assert spec is not None
    assert spec.loader is not None
    loaded = module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


module = load()


def supervise(supervisord: Supervisord, wanted: set[str], owned: set[str]) -> dict[str, Any]:
    with module.connect(str(supervisord.conf)) as proxy:
        note = supervisord.directory / "stopping"
        result: dict[str, Any] = module.supervise(proxy.supervisor, wanted, owned, note)
        assert not note.exists()
        return result


def pids(supervisord: Supervisord) -> list[int]:
    return [int(pid) for pid in re.findall(r"pid (\d+)", supervisord.ctl("status"))]


class Pool:
    """A pool of workers under a supervisord, in either layout."""

    def __init__(self, project: Project, supervisord: Supervisord) -> None:
        self._project = project
        self._supervisord = supervisord
        self._owned: set[str] = set()

    def write(self, layout: str, processes: int) -> set[str]:
        """Its configuration; the programs in it."""
        if layout == "numprocs":
            texts = {"pool": self._program(numprocs=processes, name="pool")}
        else:
            names = [f"pool-{number:02d}" for number in range(processes)]
            texts = {name: self._program(name=name, process_name="%(program_name)s") for name in names}
        self._supervisord.write(*texts.values())
        return set(texts)

    def _program(self, **values: Any) -> str:
        environment = self._project.environment | {"MESSENGER_POOL": "pool"}
        return self._supervisord.program(self._project.directory, environment, "async", **values)

    def change(self, layout: str, processes: int) -> dict[str, Any]:
        """What the module says of a change."""
        wanted = self.write(layout, processes)
        result = supervise(self._supervisord, wanted, self._owned)
        self._owned |= wanted
        assert result["processes"] == processes
        return result


@pytest.fixture
def pool(project: Project, supervisord: Supervisord) -> Pool:
    made = Pool(project, supervisord)
    supervisord.write()
    supervisord.launch()
    supervisord.wait_for("supervisord started")
    return made


def names(processes: list[dict[str, Any]]) -> list[str]:
    return [process["process"] for process in processes]


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
    assert (result["left"], result["processes"], result["changed"]) == ([program], 0, False)
    assert pids(supervisord) == []
    (supervisord.directory / "stopping").write_text(f"{program}\n")  # a run that was cut off had stopped it
    result = supervise(supervisord, {program}, {program})
    assert (result["left"], len(result["started"])) == ([], result["processes"])
