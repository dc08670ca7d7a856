"""After a bad canary, a good release, hooks that failed and the way back: everyone runs the good release."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from testinfra.host import Host

if TYPE_CHECKING:
    from conftest import App

testinfra_hosts = ["ansible://workers"]


def test_everyone_is_on_the_good_release(host: Host, app: App) -> None:
    first, bad, good, left = sorted(host.file(f"{app.root}/releases").listdir())
    assert app.release == good
    assert {row["release"] for row in app.workers()} == {good}
    assert len(app.workers()) == 3 * 2
    marks = {name: host.file(f"{app.root}/releases/{name}/.bad").exists for name in (first, bad, good, left)}
    assert marks == {first: False, bad: True, good: False, left: True}


def test_untouched_hosts_were_not_touched(host: Host, app: App) -> None:
    name = host.backend.get_hostname()
    lines = [(line["what"], line["outcome"]) for line in app.audit() if line["what"] != "prune"]
    deployed = ("deploy", "ok")
    went_back = ("deploy", "went back")
    if name == "worker2":
        assert lines == [deployed, went_back, deployed, deployed, ("rollback", "ok")]
    else:
        assert lines == [deployed, deployed, went_back]


def test_hooks_ran_with_their_variables(host: Host, app: App) -> None:
    first, bad, good, left = sorted(host.file(f"{app.root}/releases").listdir())
    lines = (Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "hooks.log").read_text().splitlines()
    name = host.backend.get_hostname()

    def points(release: str) -> list[str]:
        found = [line.split() for line in lines]
        return [point for what, point, where, *rest in found if where == name and rest[-2] == release]

    untouched = ["before_build"]
    through = ["before_build", "before_switch", "after_switch", "after_gate"]
    last = ["after"] if name == "worker1" else []
    failed = ["on_failure"] if name == "worker1" else []
    assert points(first) == through + last
    assert points(bad) == (through[:3] if name == "worker2" else untouched) + failed
    assert points(good)[: 4 + len(last)] == through + last
    assert f"deploy before_switch {name} {first} {good} messenger-consume" in lines
