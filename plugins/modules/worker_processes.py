#!/usr/bin/python
"""Ansible module: stop all workers of a host without losing a message, and start them again later."""

from __future__ import annotations

import http.client
import os
import signal
import time
import xmlrpc.client
from contextlib import suppress
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.messenger.kit.plugins.module_utils.supervisor import connect, processes_of, unless
from ansible_collections.messenger.kit.plugins.module_utils.workers import programs_known, unsupervised

DOCUMENTATION = r"""
module: worker_processes
short_description: Stop all workers of a host without losing a message, and start them again
description:
  - C(stopped) first has the workers that no supervisord has finish their message and leave, then those of Supervisor,
    each within its C(stopwaitsecs). It records which processes of Supervisor it stops before it stops them, so that a
    run that was cut off starts them again when it is repeated.
  - C(started) starts the recorded processes. Processes that were stopped by hand before stay stopped.
options:
  state:
    description: What the workers are to do.
    type: str
    choices: [started, stopped]
    required: true
  host: {description: The host's name., type: str, required: true}
  conf: {description: The Supervisor configuration of the workers., type: path, required: true}
  record: {description: File with the processes that were stopped., type: path, required: true}
  supervised:
    description: With C(stopped), also stop the processes of Supervisor.
    type: bool
    default: true
  allowed:
    description: With C(stopped), running workers may be stopped; otherwise it fails when there are any.
    type: bool
    default: true
  timeout:
    description: Seconds until workers that no supervisord has must have left.
    type: float
    default: 60
extends_documentation_fragment: [messenger.kit.application, messenger.kit.supervisor]
author: The messenger-kit authors (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Stop all workers
  messenger.kit.worker_processes:
    state: stopped
    host: "{{ inventory_hostname }}"
    root: /srv/sms
    conf: /srv/sms/shared/config/messenger-worker.conf
    record: /srv/sms/shared/config/.stopped
"""

RETURN = r"""
supervised: {description: Processes of Supervisor that were stopped or started., returned: success, type: list}
unsupervised: {description: Pids of other workers that were stopped., returned: success, type: list}
"""

AT_WORK = ("RUNNING", "STARTING", "STOPPING", "BACKOFF")
ALREADY_STARTED, NOT_RUNNING = 60, 70
POLL_SECONDS = 0.5


class Refused(Exception):
    """A request that is not carried out; the text is for the operator."""


def at_work(params: dict[str, Any]) -> list[str]:
    """Return the processes of Supervisor that run or will, as `group:name`; none where it does not answer."""
    programs = programs_known(params["conf"])
    if not programs:
        return []
    try:
        with connect(params["config"]) as proxy:
            found = processes_of(proxy.supervisor, programs)
    except (OSError, http.client.HTTPException, xmlrpc.client.Error):
        return []
    return [name for name, info in found.items() if info["statename"] in AT_WORK]


def leave(params: dict[str, Any], pids: list[int]) -> None:
    """Have workers that no supervisord has finish their message, and wait until they have left.

    Raises:
        Refused: Some are still there when the time is over.
    """
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + params["timeout"]
    while left := unsupervised(params["root"]):
        if time.monotonic() > until:
            raise Refused(
                f"Workers that no Supervisor has still work on {params['host']} after {params['timeout']:g} s: pid "
                f"{', '.join(map(str, left))}. Wait until they have finished their message, or end them (`kill -KILL`: "
                "it is handled again after redeliver_timeout), and run this again."
            )
        time.sleep(POLL_SECONDS)


def record(file: Path, names: list[str]) -> None:
    """Add processes to the record of those that were stopped."""
    known = file.read_text().splitlines() if file.exists() else []
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    new.write_text("".join(f"{name}\n" for name in dict.fromkeys([*known, *names])))
    new.chmod(0o644)
    new.replace(file)


def stop(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Stop the workers; return the module's answer."""
    supervised = at_work(params) if params["supervised"] else []
    pids = unsupervised(params["root"])
    if (supervised or pids) and not params["allowed"]:
        running = [*supervised, *(f"in the background pid {pid}" for pid in pids)]
        raise Refused(
            f"Workers run on {params['host']} ({', '.join(running)}) and would handle messages meanwhile. Nothing was "
            "changed. -e stop=true has them finish their message, and starts those of Supervisor again at the end."
        )
    if not check_mode:
        if pids:  # first, so that the workers of Supervisor still run when it fails
            leave(params, pids)
        if supervised:
            record(Path(params["record"]), supervised)
            stop_supervised(params["config"], supervised)
    return {"changed": bool(supervised or pids), "supervised": supervised, "unsupervised": pids}


def stop_supervised(config: str, names: list[str]) -> None:
    """Stop processes of Supervisor all at once, and wait until they have ended."""
    with connect(config) as proxy:
        for name in names:
            unless(NOT_RUNNING, proxy.supervisor.stopProcess, name, False)
        for name in names:
            while proxy.supervisor.getProcessInfo(name)["statename"] in AT_WORK:
                time.sleep(POLL_SECONDS)


def start(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Start the recorded processes; return the module's answer.

    Raises:
        Refused: Some could not be started; they stay on record.
    """
    file = Path(params["record"])
    names = file.read_text().split() if file.exists() else []
    started, problems = [], []
    if names and not check_mode:
        with connect(params["config"]) as proxy:
            for name in names:
                try:
                    started += [name] if unless(ALREADY_STARTED, proxy.supervisor.startProcess, name) else []
                except xmlrpc.client.Fault as fault:
                    problems.append(f"{name}: {fault.faultString}")
        if problems:
            raise Refused(f"Supervisor cannot start {'; '.join(problems)}")
        file.unlink()
    return {"changed": bool(names), "supervised": started, "unsupervised": []}


def main() -> None:
    """Stop or start the workers, or say why not."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["started", "stopped"], "required": True},
            "host": {"type": "str", "required": True},
            "root": {"type": "path", "required": True},
            "conf": {"type": "path", "required": True},
            "record": {"type": "path", "required": True},
            "supervised": {"type": "bool", "default": True},
            "allowed": {"type": "bool", "default": True},
            "timeout": {"type": "float", "default": 60.0},
            "config": {"type": "path", "default": "/etc/supervisor/supervisord.conf"},
        },
        supports_check_mode=True,
    )
    act = stop if module.params["state"] == "stopped" else start
    try:
        module.exit_json(**act(module.params, module.check_mode))
    except Refused as refused:
        module.fail_json(msg=str(refused))
    except xmlrpc.client.Fault as fault:
        module.fail_json(msg=f"Supervisor refused: {fault.faultString}; its log is /var/log/supervisor/supervisord.log")
    except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
        module.fail_json(msg=f"supervisord cannot be reached: {error}; its service is `supervisor`")


if __name__ == "__main__":
    main()
