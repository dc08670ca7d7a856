#!/usr/bin/python
"""Ansible module: how the workers of a host are, as its files, Supervisor and the workers themselves say."""

from __future__ import annotations

import http.client
import os
import re
import xmlrpc.client
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.messenger.kit.plugins.module_utils.command import ask
from ansible_collections.messenger.kit.plugins.module_utils.supervisor import connect, processes_of
from ansible_collections.messenger.kit.plugins.module_utils.workers import programs_known, unsupervised

DOCUMENTATION = r"""
module: status_info
short_description: How the workers of a host are
description:
  - Compares the live release, the processes of Supervisor, the process table, and the answers of C(messenger workers)
    and C(messenger stats). Changes nothing, and fails at nothing that is missing; that is among the C(problems).
options:
  conf: {description: The Supervisor configuration of the workers., type: path, required: true}
  host: {description: The host's name in the registry., type: str, required: true}
  expected: {description: Whether workers should run here., type: bool, default: true}
  seconds: {description: Time that a C(messenger) command may take., type: int, default: 600}
extends_documentation_fragment: [messenger.kit.application, messenger.kit.supervisor]
author: The messenger-kit authors (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Check the workers of the host
  messenger.kit.status_info:
    root: /srv/sms
    conf: /srv/sms/shared/config/messenger-worker.conf
    host: "{{ inventory_hostname }}"
  register: status
"""

RETURN = r"""
release: {description: The live release; empty when there is none., returned: always, type: str}
processes:
  description: "Processes of Supervisor: C(name), C(state), C(pid), C(description)."
  returned: always
  type: list
workers: {description: The answer of C(messenger workers)., returned: always, type: list}
stats: {description: The answer of C(messenger stats)., returned: always, type: dict}
problems: {description: What is not as it should be., returned: always, type: list}
"""

SPARE_SECONDS = 30  # that the bounded command may take to end


def live_release(root: Path) -> str:
    """Return the name of the live release; empty when there is none."""
    current = root / "current"
    return os.path.basename(os.readlink(current)) if current.is_symlink() else ""


def supervised(conf: str, config: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the processes of Supervisor, and what is wrong with it."""
    programs = programs_known(conf)
    if not programs:
        return [], []
    try:
        with connect(config) as proxy:
            found = processes_of(proxy.supervisor, programs)
    except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
        return [], [f"Supervisor does not answer: {getattr(error, 'strerror', None) or error}"]
    rows = [
        {
            "name": info["name"] if info["name"] == info["group"] else f"{info['group']}:{info['name']}",
            "state": info["statename"],
            "pid": info["pid"],
            "description": re.sub(" +", " ", info["description"]).strip(),
        }
        for info in found.values()
    ]
    missing = [program for program in programs if program not in {info["group"] for info in found.values()}]
    problems = [f"{program}: Supervisor does not have this program" for program in missing]
    return sorted(rows, key=lambda row: str(row["name"])), problems


def answers(params: dict[str, Any], *commands: list[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the answers of `messenger` commands, and why there is none."""
    cli = [f"{params['root']}/bin/messenger", "--within", str(params["seconds"])]
    found, silent = [], []
    for words in commands:
        try:
            code, answer, error = ask([*cli, *words, "--format", "json"], params["seconds"] + SPARE_SECONDS)
        except OSError as problem:
            code, answer, error = 1, {}, f"the messenger command gives no answer: {cli[0]}: {problem.strerror}"
        found.append(answer)
        if code != 0:
            silent.append(error or "the messenger command gives no answer")
    return found, list(dict.fromkeys(silent))


def worker_problems(release: str, workers: list[dict[str, Any]], orphans: Iterable[int], running: int) -> list[str]:
    """Return what is wrong with the workers.

    Args:
        release: The live release.
        workers: The answer of `messenger workers`.
        orphans: Pids of workers that no supervisord has.
        running: Number of processes that run under Supervisor.
    """
    finishing = {worker["pid"] for worker in workers if worker["state"] == "detached"}  # these end by themselves
    reporting = [worker for worker in workers if worker["state"] != "detached"]
    orphans = list(orphans)
    problems = [
        f"{worker['process']} runs another release than the live one"
        for worker in reporting
        if worker["release"] != release
    ]
    problems += [f"{worker['process']} cannot work" for worker in reporting if worker["state"] in ("broken", "waiting")]
    problems += [
        f"pid {pid} is a worker that Supervisor does not have; stop-workers.yml has it finish its message and leave "
        "for good"
        for pid in orphans
        if pid not in finishing
    ]
    own = [worker for worker in reporting if not {worker["pid"], worker.get("front", 0)} & set(orphans)]
    if len(own) != running:
        problems.append(f"{len(own)} workers report, {running} processes run")
    return problems


def status(params: dict[str, Any]) -> dict[str, Any]:
    """Return the module's answer."""
    release = live_release(Path(params["root"]))
    processes, problems = supervised(params["conf"], params["config"])
    (registry, stats), silent = answers(params, ["workers", "--host", params["host"]], ["stats"])
    workers = [{"front": 0, **worker} for worker in registry.get("workers", [])]
    running = [process for process in processes if process["state"] == "RUNNING"]
    if params["expected"] and not processes and not problems:
        problems.append("Supervisor knows no workers")
    problems = ([] if release else ["no live release"]) + problems
    problems += [f"{each['name']} {each['state']} {each['description']}" for each in processes if each not in running]
    problems += silent
    problems += worker_problems(release, workers, unsupervised(params["root"]), len(running))
    problems += [f"{name} is unreachable: {why}" for name, why in sorted(stats.get("unreachable", {}).items())]
    return {"release": release, "processes": processes, "workers": workers, "stats": stats, "problems": problems}


def main() -> None:
    """Report the status."""
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            "conf": {"type": "path", "required": True},
            "host": {"type": "str", "required": True},
            "expected": {"type": "bool", "default": True},
            "seconds": {"type": "int", "default": 600},
            "config": {"type": "path", "default": "/etc/supervisor/supervisord.conf"},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(changed=False, **status(module.params))
    except OSError as error:
        module.fail_json(msg=f"The host cannot be looked at: {error}")


if __name__ == "__main__":
    main()
