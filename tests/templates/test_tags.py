"""A deploy is one piece: tags that would leave out half of it are refused before anything is done."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.templates.render import ROOT


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    file = tmp_path / "hosts.yml"
    host = f"this: {{ansible_connection: local, ansible_python_interpreter: {sys.executable}}}"
    file.write_text(f"workers:\n  hosts:\n    {host}\n")
    return file


@pytest.mark.parametrize("playbook", ["deploy", "rollback"])
@pytest.mark.parametrize(
    "words", ["--tags messenger_worker_run", "--tags messenger_deploy_hooks", "--skip-tags messenger_app_build"]
)
def test_half_a_deploy_is_refused(inventory: Path, playbook: str, words: str) -> None:
    ran = subprocess.run(
        [
            Path(sys.executable).parent / "ansible-playbook",
            "-i",
            inventory,
            *words.split(),
            f"playbooks/{playbook}.yml",
        ],
        cwd=ROOT,
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    assert "a deploy is one piece" in ran.stdout + ran.stderr
    assert "Take the lock" not in ran.stdout
