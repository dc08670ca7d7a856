"""After a bad canary, a good release, hooks that failed and the way back: everyone runs the good release."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from testinfra.host import Host

if TYPE_CHECKING:
    from conftest import App

testinfra_hosts = ["ansible://workers"]


class Hook(NamedTuple):
    """A line that hooks/note.yml wrote."""

    what: str
    point: str
    host: str
    previous: str
    release: str
    pools: str


def hooks() -> list[Hook]:
    lines = (Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "hooks.log").read_text().splitlines()
    return [Hook(*line.split(" ")[:-1]) for line in lines]  # the last one is when


def releases() -> list[str]:
    """The first release, the bad one, the good one, and the one that was left, in this order."""
    found = list(dict.fromkeys(hook.release for hook in hooks()))
    assert len(found) == 4
    return found


def test_everyone_is_on_the_good_release(host: Host, app: App) -> None:
    first, bad, good, left = releases()
    assert app.release == good
    assert {row["release"] for row in app.workers()} == {good}
    assert len(app.workers()) == 3 * 2
    there = host.file(f"{app.root}/releases").listdir()
    assert sorted(there) == [first, good, left]  # the deploy of the good one has removed the bad one
    assert [name for name in sorted(there) if host.file(f"{app.root}/releases/{name}/.bad").exists] == [left]


def test_untouched_hosts_were_not_touched(host: Host, app: App) -> None:
    lines = [(line["what"], line["outcome"]) for line in app.audit() if line["what"] != "prune"]
    deployed = ("deploy", "ok")
    went_back = ("deploy", "went back")
    if host.backend.get_hostname() == "worker2":
        assert lines == [deployed, went_back, deployed, deployed, ("rollback", "ok")]
    else:
        assert lines == [deployed, deployed, went_back]


def test_hooks_ran_with_their_variables(host: Host) -> None:
    first, bad, good, left = releases()
    name = host.backend.get_hostname()

    def points(release: str, what: str = "deploy") -> list[str]:
        return [hook.point for hook in hooks() if (hook.what, hook.host, hook.release) == (what, name, release)]

    through = ["before_build", "before_switch", "after_switch", "after_gate"]
    worker1 = name == "worker1"
    assert points(first) == through + ["after"] * worker1
    assert points(bad) == (through[:3] if name == "worker2" else through[:1]) + ["on_failure"] * worker1
    assert points(good) == through + ["after"] * worker1
    refused = through[:2] if name == "worker2" else through[:1]
    again = through[1:]  # the release was built by then
    assert points(left) == refused + ["on_failure"] * worker1 + again + ["on_failure"] * worker1
    assert points(good, "rollback") == (through[1:] + ["after"] if name == "worker2" else [])
    assert Hook("deploy", "before_switch", name, first, good, "messenger-consume") in hooks()
