"""Playbooks in check mode on a host where nothing was ever deployed: each says in a sentence what is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.paths import ROOT

NOTHING = "No release is live on this: run deploy.yml, or site.yml if the host is new."


def run(tmp_path: Path, playbook: str) -> tuple[int, str]:
    """Exit code and words of a playbook with --check."""
    host = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ansible_become": False}
    inventory = {"workers": {"hosts": {"this": {**host, "messenger_app_root": f"{tmp_path}/srv"}}}}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump(inventory))
    program = str(Path(sys.executable).parent / "ansible-playbook")
    ran = subprocess.run(
        [program, "-i", str(tmp_path / "hosts.yml"), "--check", "--diff", f"playbooks/{playbook}.yml"],
        cwd=ROOT,
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not (tmp_path / "srv").exists()
    return ran.returncode, " ".join((ran.stdout + ran.stderr).split())


@pytest.mark.parametrize(
    ("playbook", "says"),
    [
        *((playbook, NOTHING) for playbook in ("pause", "resume", "restart", "stop-workers")),
        (
            "status",
            "this is degraded: no live release; Supervisor knows no workers; the messenger command gives no answer",
        ),
        ("logs", "No host has a log. There are logs of: no pool."),
        ("failed", "this cannot list its failed messages: no release is live here"),
    ],
)
def test_it_says_what_is_missing(tmp_path: Path, playbook: str, says: str) -> None:
    code, said = run(tmp_path, playbook)
    assert (code, says in said) == (2, True), said
    assert "msg: null" not in said


@pytest.mark.parametrize("playbook", ["releases", "prune", "unlock"])
def test_where_there_is_nothing_to_do_that_is_fine(tmp_path: Path, playbook: str) -> None:
    code, said = run(tmp_path, playbook)
    assert code == 0, said
