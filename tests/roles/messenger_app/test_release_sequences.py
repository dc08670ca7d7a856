"""Random sequences of deploys, failed deploys, rollbacks, prunes and cut-offs on a real file tree with real processes.

What the roles decide is taken from their own filters, and what they remove is removed by their own module.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.roles.messenger_app.test_releases import releases
from tests.roles.render import evaluate
from tests.support.modules import load
from tests.support.paths import ROOT

choice = load(ROOT / "plugins/filter/release_choice.py")
STEPS_OF_A_DEPLOY = 6


class CutOff(Exception):
    """The run ends here, whatever is left undone."""


class OneHost(RuleBasedStateMachine):
    """What happens to the releases of one host."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        for name in ("releases", "environments"):
            (self.root / name).mkdir()
        self.number = 0
        self.workers: list[tuple[str, subprocess.Popen[bytes]]] = []
        self.left_to_do = STEPS_OF_A_DEPLOY

    def teardown(self) -> None:
        for _, process in self.workers:
            process.kill()
            process.wait()
        shutil.rmtree(self.root)

    # The steps that roles take

    def step(self) -> None:
        """Every step may be the last one of a run."""
        self.left_to_do -= 1
        if self.left_to_do == 0:
            raise CutOff

    def found(self) -> list[dict[str, Any]]:
        return list(releases.releases(self.root, releases.live(self.root)))

    def mark(self, release: str, mark: str, there: bool = True) -> None:
        file = self.root / "releases" / release / f".{mark}"
        if there:
            file.write_text(release[-8:])
        else:
            file.unlink(missing_ok=True)

    def choose(self, content: str) -> tuple[str, bool]:
        """The release that a deploy of CONTENT is about, and whether it must be built."""
        looked = {"releases": self.found(), "current": releases.live(self.root)}
        self.number += 1  # as the clock of the controller
        chosen = choice.deploy_choice({"host1": looked}, content, f"20260101T{self.number:06}Z-{content}")["host1"]
        return chosen["release"], chosen["built"]

    def build(self, release: str, environment: str) -> None:
        """What the module messenger.kit.build_release leaves, without running pip."""
        directory = self.root / "releases" / release
        directory.mkdir()
        self.step()
        home = self.root / "environments" / environment
        if not (home / ".ready").exists():
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir()
            self.step()
            (home / ".ready").touch()
        python = Path(sys.executable).resolve()
        (directory / "venv/bin").mkdir(parents=True)
        (directory / "venv/lib" / python.name).mkdir(parents=True)
        (directory / "venv/bin/python").symlink_to(python)
        (directory / "environment").symlink_to(f"../../environments/{environment}")
        self.mark(release, "ready")

    def switch(self, release: str) -> None:
        link = self.root / "current.new"
        link.symlink_to(f"releases/{release}")
        link.replace(self.root / "current")

    def start(self, release: str, *, leave: bool) -> None:
        """Workers start where current leads; the old ones leave, or finish a long message first."""
        self.switch(release)
        self.step()
        self.workers.append((release, subprocess.Popen(["sleep", "600"], cwd=self.root / "current")))
        if not leave:
            for old, process in self.workers[:-1]:
                if old != release:
                    process.kill()
                    process.wait()
            self.workers = [worker for worker in self.workers if worker[1].poll() is None]
        self.step()

    def go_back(self, release: str, before: str, looked: list[dict[str, Any]]) -> None:
        """After RELEASE did not come up: rollback.yml of messenger_worker and revert.yml of messenger_app."""
        back_to = evaluate(
            "{{ __messenger_worker_back_to }}",
            "messenger_worker",
            messenger_worker_host={"current": before, "releases": looked},
            messenger_app_release=release,
        )
        if back_to:
            self.start(back_to, leave=False)
        else:
            (self.root / "current").unlink()
        if back_to != release:
            self.mark(release, "bad")

    def prune(self, keep: int) -> None:
        before = {each["id"]: each for each in self.found()}
        current = releases.live(self.root)
        removed, _, warnings = releases.prune(self.root, keep)
        assert not warnings
        assert current not in removed
        assert not [release for release in removed if before[release]["pids"]]

    # What operators do

    @rule(
        content=st.sampled_from("abc"),
        lock=st.sampled_from("xy"),
        works=st.booleans(),
        leave=st.booleans(),
        keep=st.integers(1, 3),
        cut=st.integers(1, 12),
    )
    def deploy(self, content: str, lock: str, works: bool, leave: bool, keep: int, cut: int) -> None:
        self.left_to_do = cut
        looked, before = self.found(), releases.live(self.root)
        try:
            release, builds = self.choose(content * 8)
            assert not [each for each in looked if each["id"] == release and each["state"] == "bad"]
            if builds:
                self.build(release, lock)
            self.step()
            self.start(release, leave=leave)
            if works:
                self.mark(release, "good")
                self.mark(release, "bad", there=False)
                self.prune(keep)
            elif release != before:
                self.go_back(release, before, looked)
        except CutOff:
            pass

    @rule(leave=st.booleans(), cut=st.integers(1, 6))
    def roll_back(self, leave: bool, cut: int) -> None:
        self.left_to_do = cut
        looked, before = self.found(), releases.live(self.root)
        found = {"host1": {"releases": looked, "current": before}}
        chosen = choice.rollback_choice(found)["host1"]["release"]
        if not chosen:
            return
        state = next(each for each in looked if each["id"] == chosen)
        assert (state["state"], state["fits"]) == ("good", True)
        assert chosen < before
        try:
            self.start(chosen, leave=leave)
            self.mark(chosen, "good")
            self.mark(before, "bad")
        except CutOff:
            pass

    @rule(keep=st.integers(1, 3))
    def prune_alone(self, keep: int) -> None:
        self.prune(keep)

    @precondition(lambda self: len(self.workers) > 1)
    @rule(which=st.integers(0, 5))
    def one_finishes(self, which: int) -> None:
        _, process = self.workers.pop(which % (len(self.workers) - 1))
        process.kill()
        process.wait()

    # What must hold whatever happened

    @invariant()
    def current_is_whole(self) -> None:
        current = releases.live(self.root)
        if current:
            found = {each["id"]: each for each in self.found()}
            assert current in found
            assert found[current]["fits"]
            assert (self.root / "current/.ready").exists()

    @invariant()
    def nobody_works_in_a_release_that_is_gone(self) -> None:
        for release, _ in self.workers:
            assert (self.root / "releases" / release / "environment/.ready").exists()

    @invariant()
    def what_is_ready_has_its_environment(self) -> None:
        assert not [each["id"] for each in self.found() if each["state"] != "building" and not each["fits"]]


TestOneHost = OneHost.TestCase
TestOneHost.settings = settings(
    max_examples=20, stateful_step_count=15, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
