"""Most tags would leave out half of what a playbook does, or all of it: they are refused before anything is done."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.roles.render import evaluate, trusted
from tests.support.modules import ROLES
from tests.support.paths import ROOT

PLAYBOOKS = sorted(file.stem for file in (ROOT / "playbooks").glob("[a-z]*.yml"))


def imports(playbook: str) -> list[dict[str, Any]]:
    """The plays and imports of a playbook."""
    found: list[dict[str, Any]] = yaml.safe_load((ROOT / f"playbooks/{playbook}.yml").read_text())
    return found


def refused(playbook: str, run: str = "all", skip: str = "", playbook_dir: str = "") -> bool:
    """Whether inputs.yml refuses a run of a playbook with these tags."""
    (task,) = [
        each
        for each in yaml.safe_load((ROLES / "messenger_app/tasks/inputs.yml").read_text())
        if each["name"] == "Check that tags leave nothing out"
    ]
    (first,) = [each for each in imports(playbook) if each.get("ansible.builtin.import_playbook") == "_inputs.yml"]
    given: dict[str, Any] = {
        "ansible_run_tags": run.split(),
        "ansible_skip_tags": skip.split(),
        "playbook_dir": playbook_dir or str(ROOT / "playbooks"),
        **{name: value for name, value in first.get("vars", {}).items() if name == "messenger_app_tags"},
        **trusted(task["vars"]),
    }
    return not all(
        evaluate("{{ " + each + " }}", "messenger_app", **given) for each in task["ansible.builtin.assert"]["that"]
    )


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_every_playbook_refuses_tags_that_it_does_not_know(playbook: str) -> None:
    assert not refused(playbook)
    assert not refused(playbook, skip="messenger_deploy_hooks molecule-notest")
    for tag in ("messenger_app_configure", "messenger_worker_run", "messenger_deploy_hooks", "misspelt", "all,x"):
        assert refused(playbook, tag), tag
        assert refused(playbook, f"messenger_app_build {tag}"), tag
    for tag in ("messenger_app_build", "messenger_worker_run", "untagged", "all"):
        assert refused(playbook, skip=tag), tag


@pytest.mark.parametrize(
    ("playbook", "tag", "taken"),
    [
        ("deploy", "messenger_app_build", True),
        ("deploy", "redis_run", False),
        ("rollback", "messenger_app_build", False),
        ("restart", "messenger_app_build", False),
        ("site", "messenger_app_build", True),
        ("site", "redis_run", True),
        ("site", "supervisor_install", True),
    ],
)
def test_what_tags_are_for(playbook: str, tag: str, taken: bool) -> None:
    assert refused(playbook, tag) is not taken


def test_a_deploy_within_site_yml_takes_its_tags() -> None:
    first, *_, last = imports("site")
    assert last["ansible.builtin.import_playbook"] == "deploy.yml"
    assert last["vars"]["messenger_app_tags"] == first["vars"]["messenger_app_tags"]


def test_a_playbook_of_one_s_own_that_imports_it_may_have_tags() -> None:
    assert not refused("deploy", "nginx", playbook_dir="/home/me/playbooks")
    assert refused("deploy", "messenger_worker_run", playbook_dir="/home/me/playbooks")


@pytest.mark.parametrize("words", ["--tags messenger_app_configure", "--skip-tags messenger_app_build"])
def test_it_ends_before_anything_is_done(tmp_path: Path, words: str) -> None:
    file = tmp_path / "hosts.yml"
    host = f"this: {{ansible_connection: local, ansible_python_interpreter: {sys.executable}}}"
    file.write_text(f"workers:\n  hosts:\n    {host}\n")
    ran = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", file, *words.split(), "playbooks/deploy.yml"],
        cwd=ROOT,
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    assert f"{words.split()[1]} is no tag that this playbook can be run with" in " ".join(
        (ran.stdout + ran.stderr).split()
    )
    assert "Take the deploy lock" not in ran.stdout
