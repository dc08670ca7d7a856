#!/usr/bin/python3
"""Ansible module: what a host says of its workers and their Supervisor before anything changes."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: messenger_worker_look
short_description: What a host says of its workers and their Supervisor
description:
  - One look instead of a task for each question. Changes nothing, and fails at nothing that is missing.
options:
  link: {description: Where Supervisor looks for our configuration., type: path, required: true}
  conf: {description: Our configuration; beside it C(CONF.good) is the one that worked last., type: path, required: true}
  unit: {description: What systemd is told of Supervisor's service., type: path, required: true}
author: messenger-kit
"""

RETURN = r"""
installed: {description: Whether C(supervisorctl) is there., returned: always, type: bool}
answers: {description: Whether supervisord answers., returned: always, type: bool}
said: {description: What C(supervisorctl pid) said., returned: always, type: str}
link: {description: What is at C(link) - C(there) and its C(target)., returned: always, type: dict}
stop_seconds: {description: C(TimeoutStopSec) of the unit; 0 when it says none., returned: always, type: int}
programs: {description: The programs of the two configurations., returned: always, type: list}
scaled:
  description: "What scale.yml noted: C(pool), its C(processes), and what the C(inventory) said then."
  returned: always
  type: list
"""

PROGRAM = re.compile(r"^\[program:(.*)\]$", re.MULTILINE)
SCALED = re.compile(r"^; scaled: (?P<pool>\S+) (?P<processes>\d+) .*?(?P<inventory>\d+)$", re.MULTILINE)
STOP_SECONDS = re.compile(r"^TimeoutStopSec=(\d+)", re.MULTILINE)


def text_of(path: str) -> str:
    """What the file holds; nothing when it is not there."""
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def supervisord() -> dict[str, Any]:
    """Whether supervisord answers."""
    try:
        ran = subprocess.run(["supervisorctl", "pid"], capture_output=True, text=True, check=False)
    except OSError as error:
        return {"installed": False, "answers": False, "said": f"supervisorctl: {error.strerror}"}
    return {"installed": True, "answers": ran.returncode == 0, "said": (ran.stdout or ran.stderr).strip()}


def look(link: str, conf: str, unit: str) -> dict[str, Any]:
    """The answer of the module."""
    configuration = text_of(conf)
    seconds = STOP_SECONDS.findall(text_of(unit))
    return {
        **supervisord(),
        "link": {"there": os.path.lexists(link), "target": os.readlink(link) if os.path.islink(link) else ""},
        "stop_seconds": int(seconds[-1]) if seconds else 0,
        "programs": list(dict.fromkeys(PROGRAM.findall(configuration + "\n" + text_of(f"{conf}.good")))),
        "scaled": [
            {"pool": found["pool"], "processes": int(found["processes"]), "inventory": int(found["inventory"])}
            for found in SCALED.finditer(configuration)
        ],
    }


def main() -> None:
    """Look."""
    module = AnsibleModule(
        argument_spec={name: {"type": "path", "required": True} for name in ("link", "conf", "unit")},
        supports_check_mode=True,
    )
    module.exit_json(changed=False, **look(**module.params))


if __name__ == "__main__":
    main()
