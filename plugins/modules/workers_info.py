#!/usr/bin/python
"""Ansible module: the live release of a host, its Supervisor, and the configuration of its workers."""

from __future__ import annotations

import configparser
import hashlib
import http.client
import os
import re
import stat
import xmlrpc.client
from collections.abc import Sequence
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.messenger.kit.plugins.module_utils.releases import live, releases
from ansible_collections.messenger.kit.plugins.module_utils.supervisor import connect, processes_of
from ansible_collections.messenger.kit.plugins.module_utils.workers import programs_known, programs_of, text_of

DOCUMENTATION = r"""
module: workers_info
short_description: The live release of a host, its Supervisor, and the configuration of its workers
description:
  - One module instead of a task for each question. Changes nothing, and fails at nothing that is missing.
options:
  host: {description: The host's name for errors., type: str, required: true}
  link: {description: Where Supervisor includes the configuration of the workers., type: path, required: true}
  conf:
    description: The configuration of the workers; C(CONF.good) is the one that passed the gate last.
    type: path
    required: true
  unit: {description: The drop-in of Supervisor's systemd unit., type: path, required: true}
  require_release: {description: Fail when no release is live., type: bool, default: false}
extends_documentation_fragment: [messenger.kit.application, messenger.kit.supervisor]
author: The messenger-kit authors (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Check what runs on the host
  messenger.kit.workers_info:
    host: "{{ inventory_hostname }}"
    root: /srv/sms
    link: /etc/supervisor/conf.d/messenger-worker.conf
    conf: /srv/sms/shared/config/messenger-worker.conf
    unit: /etc/systemd/system/supervisor.service.d/messenger-kit.conf
  register: messenger_worker_host
"""

RETURN = r"""
current: {description: The live release; empty when there is none., returned: always, type: str}
configured: {description: Whether a deploy has set the host up., returned: always, type: bool}
releases: {description: "The releases, the newest first: C(id), C(state), C(fits).", returned: always, type: list}
restart_noted:
  description: Whether a run that was cut off left workers without their new environment.
  returned: always
  type: bool
conf_sha256:
  description: Of the configuration in force; empty when it has not passed the gate, or others may change it.
  returned: always
  type: str
conf_programs: {description: The programs in C(conf); null when it is missing., returned: always, type: list}
good_programs: {description: The programs in C(CONF.good); null when it is missing., returned: always, type: list}
programs: {description: The programs of both., returned: always, type: list}
scaled:
  description: "Numbers that scale.yml set: C(pool), C(processes), and the number of the C(inventory) at that time."
  returned: always
  type: list
installed: {description: Whether C(supervisorctl) is there., returned: always, type: bool}
answers: {description: Whether supervisord answers., returned: always, type: bool}
said: {description: Why it does not., returned: always, type: str}
processes: {description: "The processes of C(programs): C(process), C(state), C(pid).", returned: always, type: list}
user_id: {description: As whom supervisord runs; null where that cannot be seen., returned: always, type: int}
included: {description: Whether supervisord's configuration includes C(link)., returned: always, type: bool}
link: {description: What is at C(link) - C(there) and its C(target)., returned: always, type: dict}
stop_seconds: {description: C(TimeoutStopSec) of the unit; 0 when it says none., returned: always, type: int}
"""

OURS = (os.geteuid(), os.getegid(), 0o644)  # who owns what is in force, and its mode
SCALED = re.compile(r"^; scaled: (?P<pool>\S+) (?P<processes>\d+) .*?(?P<inventory>\d+)$", re.MULTILINE)
STOP_SECONDS = re.compile(r"^TimeoutStopSec=(\d+)", re.MULTILINE)


def supervisord(config: str, programs: Sequence[str]) -> dict[str, Any]:
    """Return whether supervisord answers, and the processes of PROGRAMS."""
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
    """Return whether CONFIG has supervisord read LINK; true where it cannot be read, which another finding reports."""
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


def in_force(conf: Path) -> str:
    """Return the SHA-256 of a configuration that passed the gate; empty when it did not, or others may change it."""
    texts = []
    for file in (conf, conf.with_name(f"{conf.name}.good")):
        try:
            found = file.lstat()
            texts.append(file.read_bytes())
        except OSError:
            return ""
        if not stat.S_ISREG(found.st_mode) or (found.st_uid, found.st_gid, found.st_mode & 0o7777) != OURS:
            return ""
    return hashlib.sha256(texts[0]).hexdigest() if texts[0] == texts[1] else ""


def programs_in(file: str) -> list[str] | None:
    """Return the programs of a configuration; None when it is missing."""
    return programs_of(file) if Path(file).exists() else None


def host(params: dict[str, Any]) -> dict[str, Any]:
    """Return the module's answer."""
    root, conf, link = Path(params["root"]), params["conf"], params["link"]
    seconds = STOP_SECONDS.findall(text_of(params["unit"]))
    programs, current = programs_known(conf), live(root)
    return {
        **supervisord(params["config"], programs),
        "current": current,
        "configured": (root / "shared/config").is_dir(),
        "releases": [{name: each[name] for name in ("id", "state", "fits")} for each in releases(root, current)],
        "restart_noted": (root / "shared/config/.restart").exists(),
        "conf_sha256": in_force(Path(conf)),
        "conf_programs": programs_in(conf),
        "good_programs": programs_in(f"{conf}.good"),
        "programs": programs,
        "scaled": [
            {"pool": found["pool"], "processes": int(found["processes"]), "inventory": int(found["inventory"])}
            for found in SCALED.finditer(text_of(conf))
        ],
        "included": included(link, params["config"]),
        "link": {"there": os.path.lexists(link), "target": os.readlink(link) if os.path.islink(link) else ""},
        "stop_seconds": int(seconds[-1]) if seconds else 0,
    }


def main() -> None:
    """Report what there is."""
    required: dict[str, Any] = {"type": "path", "required": True}
    module = AnsibleModule(
        argument_spec={
            "host": {"type": "str", "required": True},
            "root": required,
            "link": required,
            "conf": required,
            "unit": required,
            "require_release": {"type": "bool", "default": False},
            "config": {"type": "path", "default": "/etc/supervisor/supervisord.conf"},
        },
        supports_check_mode=True,
    )
    found = host(module.params)
    if module.params["require_release"] and not found["current"]:
        name = module.params["host"]
        module.fail_json(msg=f"No release is live on {name}: run deploy.yml, or site.yml if the host is new.", **found)
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
