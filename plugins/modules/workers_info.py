#!/usr/bin/python3
"""Ansible module: what a host says of its workers and their Supervisor before anything changes."""

from __future__ import annotations

import configparser
import http.client
import os
import re
import xmlrpc.client
from collections.abc import Sequence
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.messenger.kit.plugins.module_utils.supervisor import connect, processes_of

DOCUMENTATION = r"""
module: workers_info
short_description: What a host says of its workers and their Supervisor
description:
  - One look instead of a task for each question. Changes nothing, and fails at nothing that is missing.
options:
  link: {description: Where Supervisor looks for our configuration., type: path, required: true}
  conf: {description: Our configuration; C(CONF.good) is the one that worked last., type: path, required: true}
  unit: {description: What systemd is told of Supervisor's service., type: path, required: true}
  config:
    description: Where it is said how to reach supervisord.
    type: path
    default: /etc/supervisor/supervisord.conf
author: messenger-kit
"""

RETURN = r"""
installed: {description: Whether C(supervisorctl) is there., returned: always, type: bool}
answers: {description: Whether supervisord answers., returned: always, type: bool}
said: {description: Why it does not., returned: always, type: str}
processes: {description: "The processes of C(programs): C(process), C(state), C(pid).", returned: always, type: list}
user_id: {description: As whom supervisord runs; null where that cannot be seen., returned: always, type: int}
included: {description: Whether supervisord's configuration includes C(link)., returned: always, type: bool}
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


def supervisord(config: str, programs: Sequence[str]) -> dict[str, Any]:
    """Whether supervisord answers, and how its processes of PROGRAMS are."""
    answer: dict[str, Any] = {"installed": Path("/usr/bin/supervisorctl").exists(), "answers": False, "processes": []}
    answer["user_id"] = None
    try:
        with connect(config) as proxy:
            found = processes_of(proxy.supervisor, programs)
            with suppress(FileNotFoundError):  # it runs in another container, or has just ended
                answer["user_id"] = os.stat(f"/proc/{proxy.supervisor.getPID()}").st_uid
    except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
        return {**answer, "said": getattr(error, "strerror", None) or str(error)}
    rows = [{"process": info["name"], "state": info["statename"], "pid": info["pid"]} for info in found.values()]
    return {**answer, "answers": True, "said": "", "processes": rows}


def included(link: str, config: str) -> bool:
    """Whether CONFIG says that supervisord reads LINK. What cannot be read is another finding's business."""
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True, inline_comment_prefixes=(";", "#"))
    try:
        parser.read(config)
    except (configparser.Error, UnicodeDecodeError):
        return True
    patterns = (parser.get("include", "files", fallback="") or "").split()
    here = os.path.dirname(config)
    return not parser.sections() or any(
        "%(host_node_name)" in pattern
        or fnmatch(link, os.path.normpath(os.path.join(here, pattern.replace("%(here)s", here))))
        for pattern in patterns
    )


def look(link: str, conf: str, unit: str, config: str) -> dict[str, Any]:
    """The answer of the module."""
    configuration = text_of(conf)
    seconds = STOP_SECONDS.findall(text_of(unit))
    programs = list(dict.fromkeys(PROGRAM.findall(configuration + "\n" + text_of(f"{conf}.good"))))
    return {
        **supervisord(config, programs),
        "included": included(link, config),
        "link": {"there": os.path.lexists(link), "target": os.readlink(link) if os.path.islink(link) else ""},
        "stop_seconds": int(seconds[-1]) if seconds else 0,
        "programs": programs,
        "scaled": [
            {"pool": found["pool"], "processes": int(found["processes"]), "inventory": int(found["inventory"])}
            for found in SCALED.finditer(configuration)
        ],
    }


def main() -> None:
    """Look."""
    paths: dict[str, Any] = {name: {"type": "path", "required": True} for name in ("link", "conf", "unit")}
    paths["config"] = {"type": "path", "default": "/etc/supervisor/supervisord.conf"}
    module = AnsibleModule(argument_spec=paths, supports_check_mode=True)
    module.exit_json(changed=False, **look(**module.params))


if __name__ == "__main__":
    main()
