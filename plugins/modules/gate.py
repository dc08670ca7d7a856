#!/usr/bin/python3
"""Ansible module: the gate of a deploy: do all workers of a host run the release, stay up, and fail no more often?"""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import tempfile
import time
import xmlrpc.client
from collections.abc import Callable, Sequence, Set
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.messenger.kit.plugins.module_utils.supervisor import connect, processes_of
from ansible_collections.messenger.kit.plugins.module_utils.text import last_line, printable

DOCUMENTATION = r"""
module: gate
short_description: The gate of a deploy, on one host
description:
  - Without C(release) it only looks what is there, for the gate to compare with later.
  - With C(leave) workers are first asked to finish their message and leave (C(messenger stop-workers)), and waited for.
  - Then it waits until every process of C(programs) runs the release, as Supervisor and as the registry of workers
    see it, and has stayed up for C(stable) seconds, and checks that they do not fail more than C(max_failures). It ends
    early when that cannot happen any more. Processes that were stopped by hand do not count.
  - A worker in the registry that is no process of Supervisor's on this host neither passes nor fails a release.
  - It fails with who did not leave, or with what is wrong with which worker, and the last error in that worker's log.
options:
  cli: {description: The application's C(messenger) command., type: path, required: true}
  host: {description: The host's name in the registry., type: str, required: true}
  programs: {description: Supervisor's programs., type: list, elements: str, default: []}
  release: {description: What they must run., type: str, default: ""}
  leave:
    description: Who leaves first - C(older), the workers of other releases; C(all); or C(none).
    type: str
    choices: [older, all, none]
    default: none
  signal:
    description: When nobody can be asked, tell C(programs) by a signal (they listen at another Redis).
    type: bool
    default: false
  timeout: {description: Seconds until those who leave have left; and seconds until the others must be as wanted.,
            type: float, default: 60}
  stable: {description: Seconds that they must have stayed up., type: float, default: 5}
  failures_before: {description: C(failures) of an earlier answer; -1 is not to judge them., type: int, default: -1}
  started: {description: Whether Supervisor has just started any; where nobody left either no failure is judged.,
            type: bool, default: true}
  failures_allowed: {description: How many more there may be in a minute., type: int, default: 0}
  log_dir: {description: Where the workers' logs are., type: path, default: /nonexistent}
  config:
    description: Where it is said how to reach supervisord.
    type: path
    default: /etc/supervisor/supervisord.conf
author: messenger-kit
"""

RETURN = r"""
failures: {description: How many attempts failed in the host's workers in the last minute., returned: always, type: int}
asked_to_leave:
  description: "Who was asked to leave, and what became of each, as C(messenger stop-workers) says."
  returned: with C(release)
  type: list
processes: {description: How many processes passed the gate., returned: success, type: int}
left: {description: Processes that were stopped by hand., returned: success, type: list}
background:
  description: "Workers that finish a message in the background: C(pid), C(process), C(release), C(message)."
  returned: success
  type: list
"""

POLL_SECONDS = 0.2
SPARE_SECONDS = 60  # that a command may take beyond what it was told to wait
MOST_BYTES = 16 * 2**20
TOO_OFTEN = 6  # starts of one process while the gate waits
ERROR = re.compile(r"\b(ERROR|CRITICAL)\b|^\s*[\w.]*(Error|Exception|Exit|Interrupt)\b")


class Process(NamedTuple):
    """What Supervisor says of it."""

    state: str
    pid: int
    said: str


class Refused(Exception):
    """What cannot be asked, for people."""


def processes(config: str, programs: Sequence[str]) -> dict[str, Process]:
    """The processes of PROGRAMS by name."""
    if not programs:
        return {}
    try:
        with connect(config) as proxy:
            found = processes_of(proxy.supervisor, programs).values()
    except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise Refused(f"Supervisor cannot say how its processes are: {said}") from error
    return {info["name"]: Process(info["statename"], info["pid"], info["description"]) for info in found}


class Watch:
    """Looks at the processes while something else goes on. The pids LEAVING were told to end: no start of a process."""

    def __init__(self, config: str, programs: Sequence[str], leaving: Set[int] = frozenset()) -> None:
        self._look = partial(processes, config, programs)
        self._leaving = leaving | {0}
        self._seen: dict[str, set[int]] = {}
        self.left = sorted(name for name, process in self._look().items() if process.state == "STOPPED")

    def look(self) -> dict[str, Process]:
        """Those that were not stopped by hand, as they are now."""
        working = {name: process for name, process in self._look().items() if process.state != "STOPPED"}
        for name, process in working.items():
            self._seen.setdefault(name, set()).update({process.pid} - self._leaving)
        return working

    def pids(self) -> set[int]:
        """The processes that run now."""
        return {process.pid for process in self.look().values()} - {0}

    def starts(self, name: str) -> int:
        """How often the process was seen started."""
        return len(self._seen.get(name, ()))

    def hopeless(self) -> bool:
        """Whether one will not come up, however long one waits."""
        found = self.look().items()
        return any(process.state == "FATAL" or self.starts(name) >= TOO_OFTEN for name, process in found)


def supervised(config: str) -> Callable[[], set[int]] | None:
    """The pids of all that Supervisor runs now; None when it cannot say, which is judged at the gate."""
    try:
        with connect(config) as proxy:
            found = {info["pid"] for info in proxy.supervisor.getAllProcessInfo()} - {0}
    except (OSError, http.client.HTTPException, xmlrpc.client.Error):
        return None
    return lambda: found


def ask(
    command: Sequence[str],
    seconds: float,
    pids: Callable[[], set[int]] | None = None,
    hopeless: Callable[[], bool] = lambda: False,
) -> tuple[int, dict[str, Any], str]:
    """Run a messenger command; its exit code, answer and last line of errors.

    It is ended when it is HOPELESS, and killed after SECONDS or when it says more than MOST_BYTES: it runs as the
    application's user, whose other processes can do to it what they like.

    PIDS: of the processes that it may believe when they are in the registry, asked for again and again; None: of any.
    """
    told: set[int] | None = None
    until = time.monotonic() + seconds
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as errors:
        option = ["--pids-from-stdin"] if pids is not None else []
        running = subprocess.Popen([*command, *option], stdin=subprocess.PIPE, stdout=said, stderr=errors, text=True)
        while running.poll() is None:
            if time.monotonic() > until or max(os.fstat(file.fileno()).st_size for file in (said, errors)) > MOST_BYTES:
                running.kill()  # what it runs ends with it
            elif hopeless():
                running.terminate()
            if pids is not None and (now := pids()) != told:
                told = now
                tell(running, f"{' '.join(map(str, now))}\n")
            with suppress(subprocess.TimeoutExpired):
                running.wait(POLL_SECONDS)
        with suppress(OSError):
            running.stdin.close()
        for file in (said, errors):
            file.seek(0)
        text, error = (file.read(MOST_BYTES).decode(errors="replace") for file in (said, errors))
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        answer = None
    return running.returncode, answer if isinstance(answer, dict) else {}, last_line(error)


def tell(running: subprocess.Popen[str], line: str) -> None:
    """Write a line to the command, which may have ended."""
    with suppress(OSError):
        running.stdin.write(line)
        running.stdin.flush()


def failures(answer: dict[str, Any]) -> dict[str, int]:
    """Process -> how many attempts failed there in the last minute.

    What a worker does in the background is not the work of any release that is judged.
    """
    return {
        worker["process"] or worker["id"]: worker["failed_last_minute"]
        for worker in answer.get("workers", [])
        if worker["failed_last_minute"] and worker["state"] != "detached"
    }


def background(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The workers that finish a message in the background."""
    found = [worker for worker in answer.get("workers", []) if worker["state"] == "detached"]
    return [{name: worker[name] for name in ("pid", "process", "release", "message")} for worker in found]


def last_error(log: Path) -> str:
    """The last line of LOG that tells of an error; without one the last line."""
    try:
        lines = [line for line in log.read_text(errors="replace")[-65536:].splitlines() if line.strip()]
    except OSError:
        return ""
    return next((line for line in reversed(lines) if ERROR.search(line)), lines[-1] if lines else "").strip()


def look(asked: dict[str, Any]) -> dict[str, Any]:
    """What is there before the switch."""
    command = [asked["cli"], "workers", "--host", asked["host"], "--format", "json"]
    if not Path(asked["cli"]).exists():
        return {"failures": 0}
    answer = ask(command, SPARE_SECONDS, supervised(asked["config"]))[1]
    return {"failures": sum(failures(answer).values())}


def leave(asked: dict[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """Have workers finish their message and leave: who was asked, and what is wrong."""
    config, programs = asked["config"], asked["programs"]

    def wake() -> bool:
        """Unless it is asked something, supervisord sees up to a second later who has ended."""
        with suppress(Refused):  # that is judged at the gate
            processes(config, programs)
        return False

    command = [asked["cli"], "stop-workers", "--host", asked["host"], "--wait", str(asked["timeout"])]
    command += ["--format", "json"] + (["--keep-release", asked["release"]] if asked["leave"] == "older" else [])
    code, answer, error = ask(command, asked["timeout"] + SPARE_SECONDS, supervised(config), wake)
    workers = answer.get("workers", [])
    problems = [still_there(worker) for worker in workers if worker["outcome"] == "remaining"]
    if code and not problems:
        problems.append(f"{asked['cli']} stop-workers: {error or f'exit code {code}'}")
    return workers, problems


def still_there(worker: dict[str, Any]) -> str:
    """That a worker did not leave, for people."""
    message = worker["message"]
    hand = f" and still has {message['type']} {message['id']} in hand" if message else ""
    return f"{worker['process'] or worker['id']} (pid {worker['pid']}) did not leave in {worker['seconds']} s{hand}"


def signal(config: str, programs: Sequence[str]) -> set[int]:
    """Tell the processes of PROGRAMS to finish their message and leave; their pids."""
    told = {process.pid for process in processes(config, programs).values()} - {0}
    with connect(config) as proxy:
        for program in programs:
            proxy.supervisor.signalProcessGroup(program, "TERM")
    return told


def wait(asked: dict[str, Any], watch: Watch, judged: bool) -> tuple[dict[str, Any], list[str]]:
    """Wait at the gate: what the registry says of the workers, and what is wrong with them."""
    command = [asked["cli"], "workers", "--host", asked["host"], "--until-release", asked["release"]]
    command += ["--count", str(len(watch.look())), "--timeout", str(asked["timeout"]), "--stable"]
    command += [str(asked["stable"]), "--format", "json"]
    most = ["--max-failures", str(asked["failures_before"] + asked["failures_allowed"])] if judged else []
    seconds = asked["timeout"] + asked["stable"] + SPARE_SECONDS
    code, answer, error = ask([*command, *most], seconds, watch.pids, watch.hopeless)
    problems = list(answer.get("problems", []))
    if not answer and code > 0:
        problems.append(f"{asked['cli']} workers: {error or f'exit code {code}'}")
    return answer, problems if code else []


def judge(asked: dict[str, Any], leaving: Set[int], judged: bool) -> tuple[dict[str, Any], list[str]]:
    """What there is, for the answer, and what is wrong with it. JUDGED: failures are, too."""
    began = time.monotonic()
    watch = Watch(asked["config"], asked["programs"], leaving)
    answer, problems = wait(asked, watch, judged)
    seconds = time.monotonic() - began
    told: list[str] = []
    found = watch.look()
    for name, process in found.items():
        if process.state not in ("RUNNING", "STARTING"):
            problems.append(f"{name} is {process.state} ({process.said.strip()})")
            told.append(name)
        elif watch.starts(name) > 1:
            problems.append(f"{name} was started {watch.starts(name)} times within {seconds:.0f} s")
            told.append(name)
    failing = failures(answer)
    if problems and failing and judged:
        problems.append(f"in the minute before the switch {asked['failures_before']} failed")
        told += sorted(failing, key=lambda name: -failing[name])
    for name in list(dict.fromkeys(told))[:3]:
        if line := last_error(Path(asked["log_dir"]) / f"{name}.log"):
            problems.append(f"the log of {name} says: {line}")
    return {"processes": len(found), "left": watch.left, "background": background(answer)}, problems


def turn(asked: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Have those leave who are to, then wait at the gate: the answer, and what is wrong."""
    workers, problems = leave(asked) if asked["leave"] != "none" else ([], [])
    leaving = {pid for worker in workers for pid in (worker["pid"], worker.get("front")) if pid}
    if not workers and not problems and asked["signal"]:
        leaving = signal(asked["config"], asked["programs"])
    answer = {"asked_to_leave": workers, "changed": bool(leaving)}
    if problems:
        return answer, problems
    judged = asked["failures_before"] >= 0 and (asked["started"] or bool(leaving))
    there, problems = judge(asked, leaving, judged)
    return answer | there, problems


def main() -> None:
    """Look, or wait at the gate."""
    module = AnsibleModule(
        argument_spec={
            "cli": {"type": "path", "required": True},
            "host": {"type": "str", "required": True},
            "programs": {"type": "list", "elements": "str", "default": []},
            "release": {"type": "str", "default": ""},
            "leave": {"type": "str", "choices": ["older", "all", "none"], "default": "none"},
            "signal": {"type": "bool", "default": False},
            "timeout": {"type": "float", "default": 60.0},
            "stable": {"type": "float", "default": 5.0},
            "failures_before": {"type": "int", "default": -1},
            "started": {"type": "bool", "default": True},
            "failures_allowed": {"type": "int", "default": 0},
            "log_dir": {"type": "path", "default": "/nonexistent"},
            "config": {"type": "path", "default": "/etc/supervisor/supervisord.conf"},
        },
        supports_check_mode=True,
    )
    asked = module.params
    try:
        if not asked["release"]:
            module.exit_json(changed=False, **look(asked))
        there, problems = turn(asked)
    except Refused as refused:
        module.fail_json(msg=str(refused))
    except (OSError, xmlrpc.client.Error) as error:
        module.fail_json(msg=f"The workers cannot be asked: {error}")
    if problems:
        problems = [printable(problem) for problem in problems]
        module.fail_json(msg="; ".join(problems), problems=problems, **there)
    module.exit_json(**there)


if __name__ == "__main__":
    main()
