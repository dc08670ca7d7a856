"""messenger workers: every live worker; with --until-release the gate of a deploy."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from messenger.cli.common import (
    format_option,
    load,
    need_control,
    pids_option,
    print_json,
    print_table,
    say_unreadable,
    seconds_text,
)
from messenger.cli.terminal import say
from messenger.control.confirmed import Confirmed, SupervisedPids
from messenger.control.gate import Gate
from messenger.control.plane import WorkerInfo


@click.command(short_help="Every live worker; the gate of a deploy.")
@click.option("--host", help="Only the workers of this host.")
@click.option("--until-release", metavar="ID", help="Wait until all of them run this release.")
@click.option("--count", type=click.IntRange(min=0), help="… and there are this many.")
@click.option(
    "--timeout", type=click.FloatRange(min=0), default=60.0, show_default=True, help="… for at most this many seconds."
)
@click.option(
    "--stable",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="… and the same ones stay for this many seconds.",
)
@click.option(
    "--max-failures", type=click.IntRange(min=0), help="… and no more attempts than this fail in a minute, all in all."
)
@pids_option
@format_option
@click.pass_context
def workers(
    context: click.Context,
    host: str | None,
    until_release: str | None,
    count: int | None,
    timeout: float,
    stable: float,
    max_failures: int | None,
    pids_from_stdin: bool,
    output: str,
) -> int:
    """Show every live worker: where it runs, on which release, what it is doing, what it has done.

    One that is `detached` finishes its message in the background and then ends; --until-release does not mind it, nor
    a worker of this host that has no process here.

    Exit codes: 0; 1 --until-release was not reached (the reasons are on stderr), or Redis cannot be reached; 64 wrong
    usage; 78 the configuration or the application cannot be loaded, or it has no Redis.

    \b
        messenger workers
        messenger workers --host worker1 --until-release 20261124T080000Z-ab12cd34 --count 4
    """
    application = load(context)
    control = need_control(application)
    confirmed = Confirmed(application.host, SupervisedPids() if pids_from_stdin else None)
    if until_release is None:
        found = confirmed.of(control.workers(host)) if pids_from_stdin else control.workers(host)
        unreadable = control.take_problems()
        _print(found, output, {"unreadable": unreadable})
        if output == "text":
            say_unreadable(unreadable)
        return 0
    gate = Gate(control, host, until_release, count, max_failures, confirmed)
    found, problems = gate.wait(timeout, stable)
    _print([*found, *gate.detached], output, {"reached": not problems, "problems": problems})
    for problem in problems if output == "text" else ():
        say(problem, err=True)
    return 1 if problems else 0


def _print(found: list[WorkerInfo], output: str, extra: dict[str, Any]) -> None:
    if output == "json":
        print_json({"workers": [msgspec.to_builtins(worker) for worker in found], **extra})
        return
    print_table(
        ("HOST", "PROCESS", "PID", "RELEASE", "TRANSPORTS", "STATE", "MESSAGE", "HANDLED", "FAILED", "MEMORY", "UP"),
        [
            (
                worker.host,
                worker.process or "-",
                worker.pid,
                worker.release,
                ",".join(worker.transports),
                worker.state,
                _doing(worker),
                worker.handled,
                worker.failed,
                f"{worker.memory_bytes / 1024**2:.0f}M",
                seconds_text(worker.uptime_seconds),
            )
            for worker in found
        ],
    )


def _doing(worker: WorkerInfo) -> str:
    if worker.message is not None:
        return f"{worker.message.type} ({seconds_text(worker.message.seconds)})"
    return worker.waiting_for or "-"
