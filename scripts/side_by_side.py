#!/usr/bin/env python3
"""Run commands side by side, each into a log of its own, and end with a summary.

    side_by_side.py --logs DIR [--at-once N] NAME='COMMAND' NAME='COMMAND' …

They start in the order given, N at a time (default: one more than the machine has cores). A command that fails prints
the end of its log; the others go on, and the exit code is 1. Ctrl-C and SIGTERM end every command and what it started.
A single command is not captured: its output is shown as it comes.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import psutil

END_SECONDS = 20.0


@dataclass(frozen=True)
class Stage:
    """One command that runs, since when, and where its output goes."""

    name: str
    log: Path
    process: subprocess.Popen[bytes]
    began: float


@dataclass(frozen=True)
class Result:
    """How a stage ended. `cpu` is in seconds, of the command and every process that was waited for."""

    name: str
    is_ok: bool
    seconds: float
    cpu: float

    def __str__(self) -> str:
        return f"{self.name:<22} {'ok' if self.is_ok else 'FAILED':<7} {self.seconds:5.0f}s {self.cpu:5.0f}s cpu"


def start(name: str, command: str, logs: Path) -> Stage:
    """Start a command in a session of its own, so that it can be ended with all it started."""
    log = logs / f"{name.replace(' ', '-')}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            shlex.split(command), stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    print(f"{name:<22} started, its log: {log}", flush=True)
    return Stage(name, log, process, time.monotonic())


def wait_for_one(running: dict[int, Stage]) -> tuple[Stage, Result]:
    """Wait until one of the running commands has ended, and take it out of them."""
    while True:
        pid, status, usage = os.wait3(0)
        if pid in running:
            break
    stage = running.pop(pid)
    stage.process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - stage.began
    return stage, Result(stage.name, stage.process.returncode == 0, seconds, usage.ru_utime + usage.ru_stime)


def report(stage: Stage, result: Result, tail: int) -> None:
    """Print that a command has ended; if it failed, the last `tail` lines of its log first."""
    if not result.is_ok:
        lines = stage.log.read_text(encoding="utf-8", errors="replace").splitlines()
        print(f"\n== {stage.name}: FAILED, exit code {stage.process.returncode}. The end of {stage.log}:")
        print("\n".join(lines[-tail:]), end="\n\n")
    print(result, flush=True)


def end(running: dict[int, Stage]) -> None:
    """Interrupt the commands, give them 20 s to clean up, and kill what is left of them."""
    processes = []
    for pid, stage in running.items():
        if psutil.pid_exists(pid):
            processes += [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        os.killpg(stage.process.pid, signal.SIGINT)
    _, left = psutil.wait_procs(processes, timeout=END_SECONDS)
    for process in left:
        process.kill()


def interrupted(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def run(commands: deque[tuple[str, str]], logs: Path, at_once: int, tail: int) -> list[Result]:
    """Run the commands, `at_once` at a time, and return how each ended."""
    running: dict[int, Stage] = {}
    results = []
    try:
        while commands or running:
            while commands and len(running) < at_once:
                stage = start(*commands.popleft(), logs)
                running[stage.process.pid] = stage
            stage, result = wait_for_one(running)
            report(stage, result, tail)
            results.append(result)
    except KeyboardInterrupt:
        names = ", ".join(stage.name for stage in running.values())
        print(f"\nInterrupted; ending {names}", file=sys.stderr, flush=True)
        end(running)
        raise
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logs", type=Path, required=True, help="directory for the logs, one a command")
    parser.add_argument("--at-once", type=int, default=(os.cpu_count() or 1) + 1)
    parser.add_argument("--tail", type=int, default=100, help="lines shown of a log that failed")
    parser.add_argument("commands", nargs="+", metavar="NAME=COMMAND")
    arguments = parser.parse_args()
    commands = deque((name, command) for name, _, command in (each.partition("=") for each in arguments.commands))
    if len(commands) == 1:
        words = shlex.split(commands[0][1])
        os.execvp(words[0], words)
    arguments.logs.mkdir(parents=True, exist_ok=True)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    began = time.monotonic()
    try:
        results = run(commands, arguments.logs, arguments.at_once, arguments.tail)
    except KeyboardInterrupt:
        return 130
    total = Result("total", all(r.is_ok for r in results), time.monotonic() - began, sum(r.cpu for r in results))
    print("\n== summary", *results, total, sep="\n")
    return 0 if total.is_ok else 1


if __name__ == "__main__":
    sys.exit(main())
