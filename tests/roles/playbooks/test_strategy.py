"""A strategy under which hosts run ahead of each other is refused before anything is done."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.paths import ROOT


@pytest.mark.parametrize(("playbook", "strategy"), [("deploy", "free"), ("remove", "ansible.builtin.host_pinned")])
def test_hosts_that_run_ahead_of_each_other_are_refused(tmp_path: Path, playbook: str, strategy: str) -> None:
    inventory = tmp_path / "hosts.yml"
    host = f"this: {{ansible_connection: local, ansible_python_interpreter: {sys.executable}}}"
    inventory.write_text(f"workers:\n  hosts:\n    {host}\n")
    configuration = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_STRATEGY": strategy}
    ran = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", inventory, f"playbooks/{playbook}.yml"],
        cwd=ROOT,
        env=os.environ | configuration,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    assert f"the strategy is {strategy}" in ran.stdout + ran.stderr
    assert "Take the deploy lock" not in ran.stdout


def test_every_playbook_begins_with_that_check() -> None:
    playbooks = (ROOT / "playbooks").glob("[a-z]*.yml")
    plays = {file.stem: yaml.safe_load(file.read_text())[0] for file in playbooks}
    first = {name: play.get("ansible.builtin.import_playbook") for name, play in plays.items()}
    assert first == dict.fromkeys(first, "_inputs.yml")
    assert len(first) > 15
