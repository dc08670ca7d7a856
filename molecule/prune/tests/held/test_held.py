"""After a prune beside a job in the old release: the job still runs, with everything it needs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from testinfra.host import Host

if TYPE_CHECKING:
    from conftest import App

testinfra_hosts = ["ansible://host1"]


def test_the_job_keeps_its_release_and_its_environment(host: Host, app: App, before: list[dict[str, Any]]) -> None:
    (old,) = {row["release"] for row in before}
    assert app.release != old
    assert host.check_output("systemctl is-active job") == "active"
    assert set(host.file(f"{app.root}/releases").listdir()) == {old, app.release}
    assert len(host.file(f"{app.root}/environments").listdir()) == 2
    code = "import redis, messenger; print(redis.__file__)"
    where = host.check_output(f"{app.root}/releases/{old}/venv/bin/python -c '{code}'")
    assert where.startswith(f"{app.root}/environments/")


def test_it_says_who_holds_the_release(host: Host, before: list[dict[str, Any]], run_output: str) -> None:
    pid = host.check_output("systemctl show --property=MainPID --value job")
    said = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", run_output).split())
    assert f"{before[0]['release']} stays until process {pid} ends" in said


def test_the_workers_left_it(app: App) -> None:
    assert {row["release"] for row in app.workers()} == {app.release}
