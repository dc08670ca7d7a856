"""One measured run of Ansible: how long it took, and what it did on a host."""

from __future__ import annotations

import os
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.deploy.fleet import KIT

RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)\s+skipped=(\d+)", re.M)


@dataclass(frozen=True)
class Run:
    """What a run was measured to take.

    Attributes:
        seconds: from the start of the process to its end.
        tasks: of the host that had most of them, those that were executed.
        skipped: and those that were not.
        changed: and those that changed something.
    """

    seconds: float
    tasks: int
    skipped: int
    changed: int


class RunFailed(Exception):
    """A run that is to be measured failed; its output is the message."""


def play(inventory: Path, playbook: Path, *arguments: str) -> Run:
    """Run a playbook and measure it.

    Raises:
        RunFailed: it did not end well.
    """
    return measure(["ansible-playbook", "-i", str(inventory), str(playbook), *arguments])


def ping(inventory: Path) -> Run:
    """The least that Ansible takes: one connection and one module on each host of group workers."""
    return measure(["ansible", "-i", str(inventory), "workers", "-m", "ansible.builtin.ping"])


def measure(command: list[str]) -> Run:
    environment = os.environ | {
        "ANSIBLE_CONFIG": str(KIT / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false",
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
    }
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    seconds = time.monotonic() - began
    if done.returncode:
        raise RunFailed(f"{' '.join(command)}\n{done.stdout}\n{done.stderr}")
    rows = [[int(number) for number in row[1:]] for row in RECAP.findall(done.stdout)]
    tasks, changed, _, _, skipped = max(rows, default=[1, 0, 0, 0, 0])
    return Run(seconds, tasks, skipped, changed)
