#!/usr/bin/python
"""Ansible module: ask workers of a host to finish their message and leave, and wait until they have left."""

from __future__ import annotations

import xmlrpc.client
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.messenger.kit.plugins.module_utils.command import ask
from ansible_collections.messenger.kit.plugins.module_utils.supervised import NoAnswer, all_pids, processes
from ansible_collections.messenger.kit.plugins.module_utils.supervisor import connect
from ansible_collections.messenger.kit.plugins.module_utils.text import printable

DOCUMENTATION = r"""
module: stop_workers
short_description: Ask workers of a host to finish their message and leave
description:
  - Runs C(messenger stop-workers) and waits until the workers have left. Supervisor starts them again.
  - It fails with the workers that did not leave in time. How those that come back do is the matter of M(gate_info).
options:
  cli: {description: The application's C(messenger) command., type: path, required: true}
  host: {description: The host's name in the registry., type: str, required: true}
  programs: {description: Supervisor's programs., type: list, elements: str, required: true}
  keep_release:
    description: Workers of this release stay; empty asks all.
    type: str
    default: ""
  signal:
    description: Where no worker could be asked, tell C(programs) by a signal (they listen at another Redis).
    type: bool
    default: false
  timeout: {description: Seconds until the workers must have left., type: float, default: 60}
extends_documentation_fragment: [messenger.kit.supervisor]
author: The messenger-kit authors (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Stop the workers of older releases
  messenger.kit.stop_workers:
    cli: /srv/sms/bin/messenger
    host: "{{ inventory_hostname }}"
    programs: [messenger-consume]
    keep_release: 20260101T000000Z-1a2b3c4d
"""

RETURN = r"""
workers:
  description: "The workers that were asked, and what became of each, as C(messenger stop-workers) says."
  returned: always
  type: list
pids: {description: Pids of all that were asked or told by a signal., returned: always, type: list}
"""

SPARE_SECONDS = 60  # that the command may take beyond the time it was given to wait


def leave(params: dict[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """Ask the workers and wait; return those that were asked, and what is wrong."""
    config, programs = params["config"], params["programs"]

    def wake() -> bool:
        """Ask supervisord something; otherwise it notices up to a second later that a process has ended."""
        with suppress(NoAnswer):  # the gate reports it
            processes(config, programs)
        return False

    command = [params["cli"], "stop-workers", "--host", params["host"], "--wait", str(params["timeout"])]
    command += ["--format", "json"]
    command += ["--keep-release", params["keep_release"]] if params["keep_release"] else []
    code, answer, error = ask(command, params["timeout"] + SPARE_SECONDS, all_pids(config), wake)
    workers = answer.get("workers", [])
    problems = [remaining(worker) for worker in workers if worker["outcome"] == "remaining"]
    if code and not problems:
        problems.append(f"{params['cli']} stop-workers: {error or f'exit code {code}'}")
    return workers, problems


def remaining(worker: dict[str, Any]) -> str:
    """Return that a worker did not leave, for the operator."""
    message = worker["message"]
    hand = f" and still has {message['type']} {message['id']} in hand" if message else ""
    return f"{worker['process'] or worker['id']} (pid {worker['pid']}) did not leave in {worker['seconds']} s{hand}"


def signal(config: str, programs: Sequence[str]) -> set[int]:
    """Tell the processes of PROGRAMS to finish their message and leave; return their pids."""
    told = {process.pid for process in processes(config, programs).values()} - {0}
    with connect(config) as proxy:
        for program in programs:
            proxy.supervisor.signalProcessGroup(program, "TERM")
    return told


def stop(params: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Have the workers leave; return the module's answer, and what is wrong."""
    workers, problems = leave(params)
    pids = {pid for worker in workers for pid in (worker["pid"], worker.get("front")) if pid}
    if not workers and not problems and params["signal"]:
        pids = signal(params["config"], params["programs"])
    return {"workers": workers, "pids": sorted(pids), "changed": bool(pids)}, problems


def main() -> None:
    """Have the workers leave, or fail with those that did not."""
    module = AnsibleModule(
        argument_spec={
            "cli": {"type": "path", "required": True},
            "host": {"type": "str", "required": True},
            "programs": {"type": "list", "elements": "str", "required": True},
            "keep_release": {"type": "str", "default": ""},
            "signal": {"type": "bool", "default": False},
            "timeout": {"type": "float", "default": 60.0},
            "config": {"type": "path", "default": "/etc/supervisor/supervisord.conf"},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=True, workers=[], pids=[])
    try:
        answer, problems = stop(module.params)
    except NoAnswer as error:
        module.fail_json(msg=str(error))
    except (OSError, xmlrpc.client.Error) as error:
        module.fail_json(msg=f"The workers cannot be asked: {error}")
    if problems:
        problems = [printable(problem) for problem in problems]
        module.fail_json(msg="; ".join(problems), problems=problems, **answer)
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
