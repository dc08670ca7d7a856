"""Modules worker_processes and status_info beside a real supervisord: who is stopped, started again, and reported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.supervisor.pool import Pool
from tests.integration.supervisor.supervisord import Supervisord
from tests.integration.worker.project import Project
from tests.support.modules import MODULES, load

PROCESSES = load(MODULES / "worker_processes.py")
STATUS = load(MODULES / "status_info.py")


@pytest.fixture
def asked(pool: Pool, supervisord: Supervisord, tmp_path: Path) -> dict[str, Any]:
    """The module's parameters, for a pool of two processes that run."""
    pool.change("numprocs", 2)
    supervisord.wait_for("entered RUNNING state", times=2)
    return {
        "host": "here",
        "root": str(tmp_path),
        "conf": str(supervisord.conf),
        "record": str(tmp_path / "stopped"),
        "supervised": True,
        "allowed": True,
        "timeout": 5.0,
        "config": str(supervisord.conf),
    }


def states(supervisord: Supervisord) -> list[str]:
    """The states of the pool's processes."""
    return [line.split()[1] for line in supervisord.ctl("status").splitlines()]


def test_all_are_stopped_and_those_started_again(asked: dict[str, Any], supervisord: Supervisord) -> None:
    supervisord.ctl("stop", "pool:pool_01")
    stopped = PROCESSES.stop(asked, check_mode=False)
    assert stopped == {"changed": True, "supervised": ["pool:pool_00"], "unsupervised": []}
    assert states(supervisord) == ["STOPPED", "STOPPED"]
    assert PROCESSES.stop(asked, check_mode=False)["changed"] is False
    assert Path(asked["record"]).read_text() == "pool:pool_00\n"
    assert PROCESSES.start(asked, check_mode=False)["supervised"] == ["pool:pool_00"]
    assert states(supervisord) == ["RUNNING", "STOPPED"], "what was stopped by hand stays so"
    assert not Path(asked["record"]).exists()
    assert PROCESSES.start(asked, check_mode=False)["changed"] is False


def test_nothing_is_stopped_unasked(asked: dict[str, Any], supervisord: Supervisord) -> None:
    assert PROCESSES.stop(asked, check_mode=True)["changed"] is True
    assert PROCESSES.stop(asked | {"supervised": False}, check_mode=False)["changed"] is False
    with pytest.raises(PROCESSES.Refused, match="Workers run on here .pool:pool_00, pool:pool_01. and would"):
        PROCESSES.stop(asked | {"allowed": False}, check_mode=False)
    assert states(supervisord) == ["RUNNING", "RUNNING"]
    assert not Path(asked["record"]).exists()


def test_a_run_that_was_cut_off_is_repeated(asked: dict[str, Any], supervisord: Supervisord) -> None:
    PROCESSES.record(Path(asked["record"]), ["pool:pool_00"])
    supervisord.ctl("stop", "pool:pool_00")
    assert PROCESSES.stop(asked, check_mode=False)["supervised"] == ["pool:pool_01"]
    PROCESSES.start(asked, check_mode=False)
    assert states(supervisord) == ["RUNNING", "RUNNING"]


def test_what_is_wrong_is_among_the_problems(asked: dict[str, Any], supervisord: Supervisord, project: Project) -> None:
    host = {**asked, "expected": True, "seconds": 5}
    supervisord.ctl("stop", "pool:pool_01")
    answer = STATUS.status(host)
    assert [(row["name"], row["state"]) for row in answer["processes"]] == [
        ("pool:pool_00", "RUNNING"),
        ("pool:pool_01", "STOPPED"),
    ]
    assert answer["problems"][0] == "no live release"
    assert answer["problems"][1].startswith("pool:pool_01 STOPPED ")
    assert answer["problems"][2].endswith("/bin/messenger: No such file or directory")
    assert answer["problems"][3:] == ["0 workers report, 1 processes run"]


def test_a_supervisord_that_does_not_answer_is_a_problem(asked: dict[str, Any], supervisord: Supervisord) -> None:
    supervisord.stop()
    host = {**asked, "expected": True, "seconds": 5}
    assert STATUS.status(host)["problems"][1].startswith("Supervisor does not answer: ")
    assert STATUS.status(host | {"conf": "/nonexistent"})["problems"][1] == "Supervisor knows no workers"
