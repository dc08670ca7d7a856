#!/usr/bin/python
"""Ansible module: start and stop programs of Supervisor as its configuration says, and report each process."""

from __future__ import annotations

import http.client
import re
import signal
import time
import xmlrpc.client
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.messenger.kit.plugins.module_utils.supervisor import Process, connect, processes_of, unless

DOCUMENTATION = r"""
module: supervisor_programs
short_description: Start and stop programs of Supervisor as its configuration says
description:
  - Has Supervisor read its configuration. Programs of C(wanted) and C(owned) that changed or are not wanted any more
    are stopped, all at once, each within its C(stopwaitsecs); those that changed or are new are added; what does not
    run is started. Every other program is left alone, and so is each process that was stopped by hand - where the
    program changed it is stopped again, and a program of which every process was stopped is not touched.
  - C(supervisorctl update) stops one program after the other, and does not report what it had to kill.
options:
  wanted:
    description: The programs (Supervisor's groups) that must be there. It fails when Supervisor does not find one.
    type: list
    elements: str
    required: true
  owned:
    description: More programs of the application, which go when the configuration does not have them any more.
    type: list
    elements: str
    default: []
  record:
    description:
      - File with the programs that it stops, so that after a run that was cut off they are not taken for programs that
        were stopped by hand.
    type: path
    required: true
  detach:
    description:
      - Those of the processes to be stopped that have a message in hand finish it in the background, and are not waited
        for. Only processes that were started with C(--detach-log) can.
    type: bool
    default: false
extends_documentation_fragment: [messenger.kit.supervisor]
author: The messenger-kit authors (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Start the programs of the configuration
  messenger.kit.supervisor_programs:
    wanted: [messenger-consume]
    record: /srv/sms/shared/config/.stopping
"""

RETURN = r"""
added: {description: Programs that are new., returned: success, type: list}
updated: {description: Programs that changed., returned: success, type: list}
removed: {description: Programs that are gone., returned: success, type: list}
stopped:
  description: >-
    Processes that were stopped: C(process), C(pid), C(seconds) it took, C(exit) code. -1 is killed by Supervisor, 75
    is a message that was handed back.
  returned: success
  type: list
kept: {description: "Processes that went on: C(process), C(pid).", returned: success, type: list}
started: {description: "Processes that were started: C(process), C(pid).", returned: success, type: list}
left:
  description: Processes that were stopped by hand and stay so, as C(supervisorctl) takes them.
  returned: success
  type: list
processes: {description: How many processes the wanted programs have without those., returned: success, type: int}
"""

STOPPED, BACKOFF, EXITED, FATAL = 0, 30, 100, 200
AT_REST = (STOPPED, EXITED, FATAL)
CANT_REREAD, NOT_RUNNING, ALREADY_STARTED = 92, 70, 60
POLL_SECONDS = 0.1
AUTOSTART_SECONDS = 5.0
CAUGHT = re.compile(r"^SigCgt:\s*([0-9a-f]+)$", re.MULTILINE)


class Refused(Exception):
    """A request that Supervisor cannot carry out; the text is for the operator."""


def read_configuration(server: Any, wanted: set[str], owned: set[str]) -> tuple[list[str], list[str], list[str]]:
    """Have Supervisor read its configuration; return which programs are new, changed and gone.

    Raises:
        Refused: It cannot be read, or a wanted program is not in it.
    """
    try:
        announced = server.reloadConfig()[0]
    except xmlrpc.client.Fault as fault:
        raise Refused(f"Supervisor cannot read its configuration: {fault.faultString}") from None
    added, changed, removed = ([str(name) for name in names if name in wanted | owned] for names in announced)
    here = {info["group"] for info in server.getAllProcessInfo()}
    lost = sorted(wanted & set(removed) | wanted - here - set(added))
    if lost:
        raise Refused(f"Supervisor does not find {', '.join(lost)} in its configuration; nothing was stopped")
    return added, changed, removed


def may_detach(pid: int, proc: Path = Path("/proc")) -> bool:
    """Return whether SIGUSR2 has a process go on in the background.

    Any other process, and a worker that has just started, is killed by it.
    """
    try:
        words = (proc / str(pid) / "cmdline").read_bytes().split(b"\0")
        caught = CAUGHT.search((proc / str(pid) / "status").read_text())
    except OSError:  # gone meanwhile
        return False
    return b"--detach-log" in words and caught is not None and bool(int(caught[1], 16) >> signal.SIGUSR2 - 1 & 1)


def stop(server: Any, groups: Sequence[str], detach: bool = False) -> list[Process]:
    """Stop all processes of some groups at once; Supervisor kills them after their stopwaitsecs.

    Args:
        server: The interface of supervisord.
        groups: Names of the groups.
        detach: Have those that can finish their message in the background do so.

    Returns:
        `process`, `pid`, `seconds` and `exit` code of each.
    """
    began = time.monotonic()
    waiting = {name: info for name, info in processes_of(server, groups).items() if info["state"] not in AT_REST}
    for name, info in waiting.items():
        detaches = detach and may_detach(info["pid"])
        # First: Supervisor would start again what leaves before it is to be stopped.
        unless(NOT_RUNNING, server.stopProcess, name, False)
        if detaches:
            unless(NOT_RUNNING, server.signalProcess, name, "USR2")
    ended = []
    while waiting:
        seconds = time.monotonic() - began
        now = processes_of(server, groups)
        for name in [name for name in waiting if now[name]["state"] in AT_REST]:
            was = waiting.pop(name)
            if was["pid"]:
                how = {"seconds": round(seconds, 1), "exit": now[name]["exitstatus"]}
                ended.append({"process": was["name"], "pid": was["pid"], **how})
        time.sleep(POLL_SECONDS if waiting else 0)
    return sorted(ended, key=lambda process: str(process["process"]))


def start(server: Any, groups: set[str], left: set[str]) -> None:
    """Start what does not run, except LEFT. Supervisor itself starts programs that were just added."""
    for name, info in processes_of(server, groups).items():
        if info["state"] in AT_REST and name not in left:
            unless(ALREADY_STARTED, server.startProcess, name, False)


def stopped_by_hand(before: dict[str, Process], record: Path) -> set[str]:
    """Return the processes that an operator has stopped, and not a run that was cut off."""
    ours = record.read_text().split() if record.exists() else []
    return {name for name, info in before.items() if info["state"] == STOPPED and info["group"] not in ours}


def stop_again(server: Any, groups: Sequence[str], left: set[str]) -> None:
    """Stop those of LEFT that Supervisor starts by itself because their groups were just added."""
    deadline = time.monotonic() + AUTOSTART_SECONDS
    for name in sorted(left & processes_of(server, groups).keys()):
        while server.getProcessInfo(name)["state"] == STOPPED and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        unless(NOT_RUNNING, server.stopProcess, name)


def supervise(server: Any, wanted: set[str], owned: set[str], record: Path, detach: bool = False) -> dict[str, Any]:
    """Start and stop processes until they are as the configuration says; return the module's answer."""
    before = processes_of(server, wanted | owned)
    left = stopped_by_hand(before, record)
    at_work = {info["group"] for name, info in before.items() if name not in left}
    added, changed, removed = read_configuration(server, wanted, owned)
    changed = [group for group in changed if group in at_work]
    if changed:
        record.write_text("\n".join(changed) + "\n")
    stopped = stop(server, [*removed, *changed], detach)
    for group in [*removed, *changed]:
        server.removeProcessGroup(group)
    for group in [*changed, *added]:
        server.addProcessGroup(group)
    stop_again(server, changed, left)
    start(server, wanted, left)
    record.unlink(missing_ok=True)
    there = processes_of(server, wanted)
    after = {name: info for name, info in there.items() if name not in left}
    old = {info["pid"] for info in before.values() if info["pid"]}
    processes = [{"process": info["name"], "pid": info["pid"]} for _, info in sorted(after.items())]
    started = [process for process in processes if process["pid"] not in {0, *old}]
    kept = [process for process in processes if process["pid"] in old]
    changes = {"added": added, "updated": changed, "removed": removed, "stopped": stopped, "started": started}
    rest = {"kept": kept, "left": sorted(left & there.keys()), "processes": len(after)}
    return {"changed": any(changes.values()), **changes, **rest}


def main() -> None:
    """Start and stop the programs, or fail with the reason in one line."""
    module = AnsibleModule(
        argument_spec={
            "wanted": {"type": "list", "elements": "str", "required": True},
            "owned": {"type": "list", "elements": "str", "default": []},
            "record": {"type": "path", "required": True},
            "detach": {"type": "bool", "default": False},
            "config": {"type": "path", "default": "/etc/supervisor/supervisord.conf"},
        },
        supports_check_mode=True,
    )
    params = module.params
    if module.check_mode:  # the configuration that would be read is not there
        module.exit_json(changed=False)
    try:
        with connect(params["config"]) as supervisord:
            wanted, owned = set(params["wanted"]), set(params["owned"])
            result = supervise(supervisord.supervisor, wanted, owned, Path(params["record"]), params["detach"])
    except Refused as refused:
        module.fail_json(msg=str(refused))
    except xmlrpc.client.Fault as fault:
        module.fail_json(msg=f"Supervisor refused: {fault.faultString}; its log is /var/log/supervisor/supervisord.log")
    except (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError) as error:
        module.fail_json(msg=f"supervisord cannot be reached: {error}; its service is `supervisor`")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
