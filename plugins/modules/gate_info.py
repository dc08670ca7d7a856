#!/usr/bin/python
"""Ansible module: wait until every worker of a host runs a release, stays up, and fails no more often than before."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence, Set
from functools import partial
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.messenger.kit.plugins.module_utils.command import ask
from ansible_collections.messenger.kit.plugins.module_utils.supervised import NoAnswer, Process, processes
from ansible_collections.messenger.kit.plugins.module_utils.text import printable

DOCUMENTATION = r"""
module: gate_info
short_description: Wait at the gate of a deploy, on one host
description:
  - Waits until every process of C(programs) runs the release, as Supervisor and as the registry of workers see it, has
    stayed up for C(stable) seconds, and does not fail more than before. It ends early when that cannot happen any more.
    It starts and stops nothing.
  - Processes that were stopped by hand do not count. A worker in the registry that is no process of Supervisor's on
    this host neither passes nor fails a release.
  - It fails with what is wrong with which worker, and the last error in that worker's log.
options:
  cli: {description: The application's C(messenger) command., type: path, required: true}
  host: {description: The host's name in the registry., type: str, required: true}
  programs: {description: Supervisor's programs., type: list, elements: str, required: true}
  release: {description: The release that they must run., type: str, required: true}
  timeout: {description: Seconds to wait., type: float, default: 60}
  stable: {description: Seconds that they must have stayed up., type: float, default: 5}
  leaving:
    description: Pids of workers that were asked to leave; their end is no failed start.
    type: list
    elements: int
    default: []
  failures_before:
    description: Attempts that failed in the minute before the change; -1 does not compare failures.
    type: int
    default: -1
  failures_allowed: {description: How many more there may be in a minute., type: int, default: 0}
  log_dir: {description: Directory of the workers' logs., type: path, default: /nonexistent}
extends_documentation_fragment: [messenger.kit.supervisor]
author: The messenger-kit authors (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Wait until every worker runs the release and has stayed up
  messenger.kit.gate_info:
    cli: /srv/sms/bin/messenger
    host: "{{ inventory_hostname }}"
    programs: [messenger-consume]
    release: 20260101T000000Z-1a2b3c4d
"""

RETURN = r"""
processes: {description: How many processes passed the gate., returned: success, type: int}
left: {description: Processes that were stopped by hand., returned: success, type: list}
background:
  description: "Workers that finish a message in the background: C(pid), C(process), C(release), C(message)."
  returned: success
  type: list
problems: {description: What is wrong., returned: failure, type: list}
"""

SPARE_SECONDS = 60  # that a command may take beyond the time it was given to wait
TOO_OFTEN = 6  # starts of one process while the gate waits
ERROR = re.compile(r"\b(ERROR|CRITICAL)\b|^\s*[\w.]*(Error|Exception|Exit|Interrupt)\b")


class Watch:
    """Observes the processes while something else goes on.

    Args:
        config: Configuration that says how to reach supervisord.
        programs: Supervisor's programs.
        leaving: Pids of workers that were asked to leave, which are no start of a process.
    """

    def __init__(self, config: str, programs: Sequence[str], leaving: Set[int] = frozenset()) -> None:
        self._processes = partial(processes, config, programs)
        self._leaving = leaving | {0}
        self._seen: dict[str, set[int]] = {}
        self.left = sorted(name for name, process in self._processes().items() if process.state == "STOPPED")

    def refresh(self) -> dict[str, Process]:
        """Return the processes that were not stopped by hand, as they are now."""
        working = {name: process for name, process in self._processes().items() if process.state != "STOPPED"}
        for name, process in working.items():
            self._seen.setdefault(name, set()).update({process.pid} - self._leaving)
        return working

    def pids(self) -> set[int]:
        """Return the pids of the processes that run now."""
        return {process.pid for process in self.refresh().values()} - {0}

    def starts(self, name: str) -> int:
        """Return how often the process was seen started."""
        return len(self._seen.get(name, ()))

    def hopeless(self) -> bool:
        """Return whether a process will not come up, however long the gate waits."""
        found = self.refresh().items()
        return any(process.state == "FATAL" or self.starts(name) >= TOO_OFTEN for name, process in found)


def failures(answer: dict[str, Any]) -> dict[str, int]:
    """Return how many attempts failed in the last minute, by process.

    Failures of a worker in the background belong to its own release, not to the one at the gate.
    """
    return {
        worker["process"] or worker["id"]: worker["failed_last_minute"]
        for worker in answer.get("workers", [])
        if worker["failed_last_minute"] and worker["state"] != "detached"
    }


def background(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the workers that finish a message in the background."""
    found = [worker for worker in answer.get("workers", []) if worker["state"] == "detached"]
    return [{name: worker[name] for name in ("pid", "process", "release", "message")} for worker in found]


def last_error(log: Path) -> str:
    """Return the last line of a log that reports an error; without one the last line."""
    try:
        lines = [line for line in log.read_text(errors="replace")[-65536:].splitlines() if line.strip()]
    except OSError:
        return ""
    return next((line for line in reversed(lines) if ERROR.search(line)), lines[-1] if lines else "").strip()


def wait(params: dict[str, Any], watch: Watch) -> tuple[dict[str, Any], list[str]]:
    """Wait at the gate; return the registry's answer about the workers, and what is wrong with them."""
    command = [params["cli"], "workers", "--host", params["host"], "--until-release", params["release"]]
    command += ["--count", str(len(watch.refresh())), "--timeout", str(params["timeout"])]
    command += ["--stable", str(params["stable"]), "--format", "json"]
    if params["failures_before"] >= 0:
        command += ["--max-failures", str(params["failures_before"] + params["failures_allowed"])]
    seconds = params["timeout"] + params["stable"] + SPARE_SECONDS
    code, answer, error = ask(command, seconds, watch.pids, watch.hopeless)
    problems = list(answer.get("problems", []))
    if not answer and code > 0:
        problems.append(f"{params['cli']} workers: {error or f'exit code {code}'}")
    return answer, problems if code else []


def evaluate(params: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Wait at the gate; return the module's answer, and what is wrong."""
    began = time.monotonic()
    watch = Watch(params["config"], params["programs"], frozenset(params["leaving"]))
    answer, problems = wait(params, watch)
    seconds = time.monotonic() - began
    suspects: list[str] = []
    found = watch.refresh()
    for name, process in found.items():
        if process.state not in ("RUNNING", "STARTING"):
            problems.append(f"{name} is {process.state} ({process.description.strip()})")
            suspects.append(name)
        elif watch.starts(name) > 1:
            problems.append(f"{name} was started {watch.starts(name)} times within {seconds:.0f} s")
            suspects.append(name)
    failing = failures(answer)
    if problems and failing and params["failures_before"] >= 0:
        problems.append(f"in the minute before the switch {params['failures_before']} failed")
        suspects += sorted(failing, key=lambda name: -failing[name])
    for name in list(dict.fromkeys(suspects))[:3]:
        if line := last_error(Path(params["log_dir"]) / f"{name}.log"):
            problems.append(f"the log of {name} says: {line}")
    return {"processes": len(found), "left": watch.left, "background": background(answer)}, problems


def main() -> None:
    """Wait, and fail with what is wrong."""
    module = AnsibleModule(
        argument_spec={
            "cli": {"type": "path", "required": True},
            "host": {"type": "str", "required": True},
            "programs": {"type": "list", "elements": "str", "required": True},
            "release": {"type": "str", "required": True},
            "timeout": {"type": "float", "default": 60.0},
            "stable": {"type": "float", "default": 5.0},
            "leaving": {"type": "list", "elements": "int", "default": []},
            "failures_before": {"type": "int", "default": -1},
            "failures_allowed": {"type": "int", "default": 0},
            "log_dir": {"type": "path", "default": "/nonexistent"},
            "config": {"type": "path", "default": "/etc/supervisor/supervisord.conf"},
        },
        supports_check_mode=True,
    )
    try:
        there, problems = evaluate(module.params)
    except NoAnswer as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"The workers cannot be asked: {error}")
    if problems:
        problems = [printable(problem) for problem in problems]
        module.fail_json(msg="; ".join(problems), problems=problems, **there)
    module.exit_json(changed=False, **there)


if __name__ == "__main__":
    main()
