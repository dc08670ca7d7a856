"""The machine that Ansible runs on: its first python3 may be a shim that runs nothing."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

NAMES = ["python", "python3", *(f"python3.{minor}" for minor in range(8, 16))]


@pytest.fixture
def shims(tmp_path: Path) -> str:
    """A PATH that begins with shims of pyenv for versions that are not chosen."""
    directory = tmp_path / "shims"
    directory.mkdir()
    for name in NAMES:
        (directory / name).write_text("#!/bin/sh\necho 'pyenv: python3: command not found' >&2\nexit 127\n")
        (directory / name).chmod(0o755)
    return f"{directory}:/usr/bin:/bin"


@pytest.mark.parametrize("inventory", ["inventory/local", "another"])
def test_a_host_s_python_is_debian_s(tmp_path: Path, shims: str, inventory: str) -> None:
    if inventory == "another":
        (tmp_path / "hosts.yml").write_text("all: {hosts: {localhost: {ansible_connection: local}}}\n")
        inventory = str(tmp_path / "hosts.yml")
    ran = subprocess.run(
        [Path(sys.executable).parent / "ansible", "-i", inventory, "localhost", "-m", "ansible.builtin.ping"],
        cwd=ROOT,
        env=os.environ | {"PATH": shims, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def run_venv(tmp_path: Path, path: str, python: str) -> subprocess.CompletedProcess[str]:
    """scripts/venv.sh, where everything is installed already."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/venv.sh", tmp_path / "scripts")
    (tmp_path / "requirements.lock").write_text("")
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/pip").symlink_to("/bin/true")
    digest = hashlib.sha256(b"").hexdigest()
    (tmp_path / ".venv/installed-requirements.lock").write_text(f"{digest}  requirements.lock\n")
    return subprocess.run(
        [tmp_path / "scripts/venv.sh", "requirements.lock"],
        env={"PATH": path, "PYTHON": python},
        capture_output=True,
        text=True,
        check=False,
    )


def test_make_finds_a_python_that_runs(tmp_path: Path, shims: str) -> None:
    ran = run_venv(tmp_path, shims, "python3")
    assert ran.returncode == 0, ran.stderr


def test_make_says_what_is_wrong_with_a_python_that_was_named(tmp_path: Path, shims: str) -> None:
    ran = run_venv(tmp_path, shims, "python3.15")
    assert ran.returncode == 1
    assert ran.stderr.startswith("python3.15 is no Python 3.11 or newer (pyenv: python3: command not found)")
    assert len(ran.stderr.splitlines()) == 1
