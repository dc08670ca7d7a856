"""messenger pause and resume: workers finish their message and take no other, until they may again."""

from __future__ import annotations

import getpass
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import click

from messenger.cli.common import format_option, load, need_control, print_json, say_problems
from messenger.cli.terminal import say
from messenger.control.confirmed import Confirmed
from messenger.control.plane import Control, Scope, WorkerInfo
from messenger.errors import TransportUnavailable

_POLL_SECONDS = 0.2


def scope_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--host and --pool."""
    command = click.option("--pool", help="Only the workers of this pool.")(command)
    return click.option("--host", help="Only the workers of this host.")(command)


@click.command(short_help="Workers take no more messages.")
@scope_options
@click.option("--reason", default="", help="What `messenger workers` says of it.")
@click.option("--by", help="Who pauses them, as user@host. Default: who called sudo, else this user, on this host.")
@click.option(
    "--wait", type=click.FloatRange(min=0), default=0.0, help="Wait up to this many seconds until none is at work."
)
@format_option
@click.pass_context
def pause(
    context: click.Context, host: str | None, pool: str | None, reason: str, by: str | None, wait: float, output: str
) -> int:
    """Have the workers finish their message and take no other; those that start later take none either.

    The processes stay, and messages wait. A worker sees it within a second, or when its wait for a message ends.

    Exit codes: 0; 1 some were still at work after --wait, or Redis cannot be reached; 64 wrong usage; 78 the
    configuration or the application cannot be loaded, or it has no Redis.

    \b
        messenger pause --reason "mail server is being moved" --wait 60
        messenger pause --pool heavy
    """
    application = load(context)
    control, confirmed = need_control(application), Confirmed(application.host)
    control.pause(Scope(host, pool=pool), by or _operator(), reason)
    working = _wait(control, confirmed, host, pool, wait)
    say_problems(control)
    if output == "json":
        print_json(
            {"paused": len(_workers(control, confirmed, host, pool)) - len(working), "working": [w.id for w in working]}
        )
    else:
        say(f"paused; {len(working)} workers are still at work" if working else "paused; no worker is at work")
        for worker in working if wait else ():
            say(f"still at work: {worker.id} ({worker.state})", err=True)
    return 1 if wait and working else 0


@click.command(short_help="Workers take messages again.")
@scope_options
@format_option
@click.pass_context
def resume(context: click.Context, host: str | None, pool: str | None, output: str) -> int:
    """End a pause. Without --host and --pool it ends every pause, else the one that was made with the same options.

    Exit codes: 0; 1 Redis cannot be reached; 64 wrong usage; 78 the configuration or the application cannot be loaded,
    or it has no Redis.

    \b
        messenger resume
        messenger resume --pool heavy
    """
    control = need_control(load(context))
    resumed = control.resume(Scope(host, pool=pool))
    left = control.pauses()
    say_problems(control)
    if output == "json":
        print_json({"resumed": resumed, "still_paused": {field: str(why) for field, why in left.items()}})
    else:
        say("resumed" if resumed else "nothing was paused with these options")
        for field, why in left.items():
            say(f"still paused: {field} ({why})")
    return 0


def _operator() -> str:
    """Return the name of the person, also behind sudo; the application's user would identify no person."""
    return f"{os.environ.get('SUDO_USER') or getpass.getuser()}@{socket.gethostname()}"


def _workers(control: Control, confirmed: Confirmed, host: str | None, pool: str | None) -> list[WorkerInfo]:
    return [worker for worker in confirmed.of(control.workers(host)) if pool in (None, worker.pool)]


def _wait(
    control: Control, confirmed: Confirmed, host: str | None, pool: str | None, seconds: float
) -> list[WorkerInfo]:
    """Return the workers that are not paused after `seconds`."""
    deadline = time.monotonic() + seconds
    working: list[WorkerInfo] = []
    while True:
        with suppress(TransportUnavailable):  # asked again until the time is up
            working = [worker for worker in _workers(control, confirmed, host, pool) if worker.state != "paused"]
            if not working:
                return working
        if time.monotonic() >= deadline:
            return working
        time.sleep(_POLL_SECONDS)
