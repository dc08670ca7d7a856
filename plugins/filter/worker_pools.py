"""Filters that turn the worker pools of the inventory into programs of Supervisor, and check them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Program = dict[str, Any]
Finding = dict[str, str]

# Supervisor cuts a value at ` ;` and ` #`, knows no escape for quotes, and ends at the line's end.
UNWRITABLE = re.compile(r"[\"'\r\n]|\s[;#]")


def worker_programs(
    pools: Iterable[Mapping[str, Any]],
    defaults: Mapping[str, Any],
    scaled: Iterable[Mapping[str, Any]] = (),
) -> list[Program]:
    """Return the pools with every key filled in.

    Args:
        pools: `messenger_worker_pools`.
        defaults: The value of each key that a pool leaves out.
        scaled: Numbers of processes that scale.yml set: `pool`, its `processes`, and the number of the `inventory` at
            that time; the last one of a pool counts. A number is void once the inventory has another one.

    Returns:
        The pools, each with `inventory_processes`: the number of processes in the inventory.
    """
    found = []
    for pool in pools:
        program = {**defaults, **pool}
        number = int(program["processes"])
        counts = [
            int(each["processes"])
            for each in scaled
            if each["pool"] == pool["name"] and int(each.get("inventory", number)) == number
        ]
        found.append({**program, "processes": (counts or [number])[-1], "inventory_processes": number})
    return found


def scaled_pools(programs: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return name and number of processes of each program that has another number than the inventory.

    Args:
        programs: What `worker_programs` returned.
    """
    return [
        f"{program['name']} {program['processes']}"
        for program in programs
        if program["processes"] != program["inventory_processes"]
    ]


def worker_groups(programs: Iterable[Mapping[str, Any]], layout: str) -> list[str]:
    """Return the names of Supervisor's process groups.

    Args:
        programs: What `worker_programs` returned.
        layout: `numprocs` for one group with all processes of a pool, `slots` for one group for each process.
    """
    if layout == "slots":
        return [slot(program["name"], number) for program in programs for number in range(int(program["processes"]))]
    return [str(program["name"]) for program in programs if int(program["processes"])]


def slot(name: str, number: int) -> str:
    """Return the name of the program of one process in layout `slots`."""
    return f"{name}-{number:02d}"


def worker_pool_findings(programs: Sequence[Mapping[str, Any]], allow_startsecs_zero: bool = False) -> list[Finding]:
    """Return what is wrong with the pools as a whole; the argument spec has checked each value for itself.

    Args:
        programs: What `worker_programs` returned.
        allow_startsecs_zero: Accept `startsecs` 0.
    """
    names = [str(program["name"]) for program in programs]
    found = []
    if not names or len(set(names)) != len(names):
        found.append(
            {
                "level": "fail",
                "where": "messenger_worker_pools",
                "found": f"names given: {', '.join(names) or 'none'}",
                "change": "at least one pool, each with a name of its own",
            }
        )
    for program in programs:
        problems = [*limit_problems(program, allow_startsecs_zero), *restart_problems(program), *log_problems(program)]
        where = f"pool {program['name']}"
        found += [{"level": "fail", "where": where, "found": what, "change": how} for what, how in problems]
    return found


def limit_problems(program: Mapping[str, Any], allow_startsecs_zero: bool) -> Iterable[tuple[str, str]]:
    """Yield what is wrong with the transports and times of a program, and what to change."""
    if not program["transports"]:
        yield "it has no transports", "transports: a list with at least one"
    if not float(program["stop_deadline"]) < int(program["stop_timeout"]):
        yield (
            f"stop_deadline is {program['stop_deadline']} and stop_timeout {program['stop_timeout']}, after which "
            "Supervisor kills the worker",
            "a stop_deadline below stop_timeout",
        )
    if int(program["startsecs"]) < 1 and not allow_startsecs_zero:
        yield (
            "with startsecs 0 Supervisor reports a worker that crashes at every start as RUNNING",
            "1 or more, workers that stop early by a limit wait it out by themselves; or, if you must, "
            "messenger_worker_allow_startsecs_zero",
        )


def restart_problems(program: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Yield what is wrong with how a program is restarted and killed, and with its environment."""
    if program["autorestart"] == "unexpected" and "0" in map(str, program["exitcodes"]):
        yield (
            "with autorestart unexpected and 0 among its exitcodes Supervisor does not start a worker again that left "
            "by a limit or by stop-workers",
            "exitcodes without 0, such as [2]; or autorestart: true",
        )
    if truthy(program["stopasgroup"]) and not truthy(program["killasgroup"]):
        yield "stopasgroup without killasgroup, which Supervisor does not take", "killasgroup: true"
    if any(UNWRITABLE.search(str(value)) for value in program["environment"].values()):
        yield (
            f"Supervisor cannot hold a value of its environment ({', '.join(program['environment'])})",
            "no quotes, line ends, and no ; or # after a space; or put it into messenger_app_env, which takes anything",
        )


def log_problems(program: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Yield what is wrong with the log files of a program, and what to change."""
    output, errors = str(program["stdout_logfile"]), str(program["stderr_logfile"])
    if errors and truthy(program["redirect_stderr"]):
        yield (
            "it has a stderr_logfile, but its errors go where the standard output goes",
            "redirect_stderr: false",
        )
    shared = [log for log in (output, errors) if log.startswith("/var/") and "%(process_num)" not in log]
    if int(program["processes"]) >= 2 and shared:
        yield (
            f"its {program['processes']} processes would write to one file, and each rotate it",
            "%(process_num)02d in the file's name",
        )
    if errors.startswith("/var/") and errors == output:
        yield "stdout_logfile and stderr_logfile are one file, and each would rotate it", "redirect_stderr: true"


def truthy(value: object) -> bool:
    """Return whether a value means yes; an inventory in INI format gives text."""
    return str(value).lower() in ("true", "yes", "on", "1")


class FilterModule:
    """The filters for Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "worker_programs": worker_programs,
            "scaled_pools": scaled_pools,
            "worker_groups": worker_groups,
            "worker_pool_findings": worker_pool_findings,
        }
