"""resume.yml on two hosts asks once, when both have resumed, what is still paused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.paths import ROOT

# Each host's pause is a file, which `resume --host NAME` deletes; what other files there are is still paused.
MESSENGER = """#!/bin/sh
test "$1" = --within && shift 2
had=false
test -e {pauses}/"$3" && had=true
rm -f {pauses}/"$3"
left=$(cd {pauses} && for name in *; do test -e "$name" && printf '"host %s": "paused by ann",' "$name"; done)
echo "{{\\"resumed\\": $had, \\"still_paused\\": {{${{left%,}}}}}}"
"""


@pytest.mark.parametrize("other", ["", "elsewhere"])
def test_what_the_same_run_has_resumed_is_not_said_to_be_paused(tmp_path: Path, other: str) -> None:
    pauses = tmp_path / "pauses"
    pauses.mkdir()
    hosts = {}
    for name in ("app1", "app2"):
        (pauses / name).touch()
        root = tmp_path / name
        for folder in ("bin", "releases/20260101000000-abc", "shared/log"):
            (root / folder).mkdir(parents=True)
        (root / "current").symlink_to(root / "releases/20260101000000-abc")
        (root / "bin/messenger").write_text(MESSENGER.format(pauses=pauses))
        (root / "bin/messenger").chmod(0o755)
        hosts[name] = {"messenger_app_root": str(root)}
    if other:
        (pauses / other).touch()
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ansible_become": False}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"workers": {"hosts": hosts, "vars": local}}))
    ran = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", tmp_path / "hosts.yml", "playbooks/resume.yml"],
        cwd=ROOT,
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert [file.name for file in pauses.iterdir()] == [other] * bool(other)
    assert ran.stdout.count("Still paused") == bool(other)
    assert f"host {other}" in ran.stdout if other else "app1 paused" not in ran.stdout
