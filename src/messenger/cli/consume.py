"""messenger consume: the worker."""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import click

from messenger.application import Application
from messenger.cli import complete
from messenger.cli.common import SizeType, load
from messenger.cli.receivers import choose_transports
from messenger.cli.terminal import CLEAR_LINE, is_watched
from messenger.errors import ConfigError
from messenger.transports.base import QueueTransport
from messenger.worker import Worker, WorkerOptions
from messenger.worker.assembly import assemble
from messenger.worker.departure import Departure
from messenger.worker.launcher import launch
from messenger.worker.limits import Limits
from messenger.worker.log_lines import LogLines

log = logging.getLogger("messenger.consume")
# With startsecs=0 Supervisor starts a program again at once, however often it fails: this pause is then the only one.
_PAUSE_BEFORE_FAILING_SECONDS = 2.0
_COUNT = click.IntRange(min=1)
_SECONDS = click.FloatRange(min=0, min_open=True)
_ALONE = {"--no-reset": "0", "--keepalive": "5"}
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")


class _Command(click.Command):
    """Wrong options, too, are found again and again when Supervisor starts a program at once."""

    def make_context(self, info_name: str | None, args: list[str], *more: Any, **kwargs: Any) -> click.Context:
        """See click; a usage error comes after the pause."""
        try:
            return super().make_context(info_name, _with_values(args), *more, **kwargs)
        except click.UsageError:
            _pause_under_supervisor()
            raise


def _with_values(args: Sequence[str]) -> list[str]:
    """Add the value of an option whose number may be omitted: the next argument may be a transport."""
    return [
        f"{arg}={_ALONE[arg]}" if arg in _ALONE and not _NUMBER.fullmatch(following) else arg
        for arg, following in pairwise([*args, ""])
    ]


@click.command(cls=_Command, short_help="The worker: handle messages.")
@click.argument("transports", nargs=-1, metavar="[TRANSPORT]...", shell_complete=complete.transports)
@click.option("-l", "--limit", "messages", type=_COUNT, help="Stop after this many messages, failed ones included.")
@click.option("-f", "--failure-limit", "failures", type=_COUNT, help="Stop after this many failed attempts.")
@click.option("-m", "--memory-limit", "memory", type=SizeType(), help="Stop when more memory is resident, e.g. 128M.")
@click.option("-t", "--time-limit", "seconds", type=_SECONDS, help="Stop after this many seconds.")
@click.option(
    "--stop-when-empty",
    is_flag=True,
    help="Stop when no message is ready. Delayed ones stay; a terminal sees a bar instead of the log, unless "
    "--verbose.",
)
@click.option(
    "--sleep",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="Longest wait for a message before limits are looked at, in seconds.",
)
@click.option("-b", "--bus", "bus_name", metavar="BUS", help="Handle everything on this bus, whichever dispatched it.")
@click.option("--queues", multiple=True, metavar="QUEUE", help="Only these queues (transports that have queues).")
@click.option(
    "--all",
    "all_transports",
    is_flag=True,
    help="Every transport but the failure transports and sync://, by `priority`, in the order of messenger.yaml.",
)
@click.option(
    "--exclude",
    "--exclude-receivers",
    multiple=True,
    metavar="TRANSPORT",
    shell_complete=complete.transports,
    help="With --all: but not this one.",
)
@click.option(
    "--order",
    type=click.Choice(["strict", "weighted", "round-robin"]),
    default="strict",
    show_default=True,
    help="Which of several transports is served: an earlier one always first; by their weight; in turn.",
)
@click.option(
    "--fetch-size",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    help="Take up to this many messages at once from a transport.",
)
@click.option(
    "--keepalive",
    type=click.FloatRange(min=0.5),
    metavar="[SECONDS]",
    help="Seconds between two renewals of a lease at most, 5 when no number follows. Default: a quarter of "
    "redeliver_timeout.",
)
@click.option(
    "--no-reset",
    "reset_every",
    type=click.IntRange(min=0),
    metavar="[N]",
    default=1,
    help="Do not call the application's reset hooks between messages, or, when a number follows, only after so many.",
)
@click.option(
    "--stop-deadline",
    type=_SECONDS,
    help="When a handler still runs this many seconds after a stop was asked for: hand its message back and end with "
    "code 75. Less than Supervisor's stopwaitsecs.",
)
@click.option(
    "--exit-on-limit",
    type=click.IntRange(0, 255),
    default=0,
    show_default=True,
    help="The exit code when a limit ended the worker.",
)
@click.option(
    "--min-uptime",
    type=click.FloatRange(min=0),
    default=0.0,
    help="Live at least this many seconds before leaving by a limit or stop-workers: more than Supervisor's startsecs.",
)
@click.option(
    "--detach-log",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Asked by stop-workers or SIGUSR2 to leave while a message is in hand, finish it in the background and write "
    "to this file; Supervisor starts the next worker at once.",
)
@click.option("-v", "--verbose", count=True, help="Also log what is only of interest when searching for a fault.")
@click.option("-e", "--env", metavar="NAME", help="Load messenger.yaml and the .env files for this APP_ENV.")
@click.option("-n", "--no-interaction", is_flag=True, help="Ask nothing, also on a terminal.")
@click.option("-q", "--quiet", is_flag=True, help="Log warnings and errors only.")
@click.pass_context
def consume(
    context: click.Context,
    /,
    transports: tuple[str, ...],
    all_transports: bool,
    exclude: tuple[str, ...],
    queues: tuple[str, ...],
    stop_when_empty: bool,
    stop_deadline: float | None,
    detach_log: str | None,
    env: str | None,
    no_interaction: bool,
    verbose: int,
    quiet: bool,
    **options: Any,
) -> int:
    """Handle messages from the named TRANSPORTs, the most urgent first. A name may be a regular expression.

    Without names: from the only transport there is beside failure transports; where there are several, a terminal is
    asked which.

    SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1 and SIGUSR2 let the current message finish. The worker waits for a server
    that is away and says so.

    Exit codes: 0 a signal or stop-workers, and a limit unless --exit-on-limit says another; 1 a message was left
    pending because its store stayed away; 64 wrong usage; 75 --stop-deadline was over; 78 the configuration or the
    application cannot be loaded.

    \b
        messenger consume async
        messenger consume high async --limit 1000 --memory-limit 128M --time-limit 3600
        messenger consume --all --exclude reports --order weighted
        messenger consume async --stop-when-empty
    """
    has_bar = stop_when_empty and not verbose and is_watched()
    if stop_when_empty and queues:
        raise click.UsageError("--stop-when-empty counts a transport's own queue; it does not go with --queues")
    level = logging.DEBUG if verbose else logging.WARNING if quiet or has_bar else logging.INFO
    lines = LogLines(sys.stderr, level, CLEAR_LINE if has_bar else "")
    launcher = launch(detach_log)
    if env is not None:
        os.environ["APP_ENV"] = env
    departure = Departure()
    try:
        application = load(context)
        for note in application.notes:
            log.warning(note)
        names = choose_transports(
            application, transports, every=all_transports, exclude=exclude, ask=not no_interaction
        )
        _choose_queues(application, names, queues)
        process = os.environ.get("SUPERVISOR_PROCESS_NAME", "")
        worker = Worker(application, names, _options(application, options), pool=_pool(), process=process)
        assemble(worker, departure, stop_deadline, launcher)
        if stop_when_empty:
            from messenger.cli.drain import Drain

            Drain(worker, [application.transport(name) for name in names], show=has_bar)
        lines.adopt()
        worker.heartbeat.steps.append(lines.adopt)
        return departure.run(worker)
    except (ConfigError, click.UsageError):
        _pause_under_supervisor()
        raise
    except BaseException:  # KeyboardInterrupt and SystemExit, too, end no worker without a word
        log.exception("worker_crashed: the message in hand was handed back, or stays pending and is handed out again")
        _pause_under_supervisor()
        return 1


def _options(application: Application, given: dict[str, Any]) -> WorkerOptions:
    bus_name = given["bus_name"]
    if bus_name is not None and bus_name not in application.buses:
        raise click.UsageError(f"no bus is called {bus_name!r}; allowed: {', '.join(application.buses)}")
    limits = Limits(**{name: given.pop(name) for name in ("messages", "failures", "memory", "seconds", "min_uptime")})
    return WorkerOptions(limits, **given)


def _choose_queues(application: Application, names: tuple[str, ...], queues: tuple[str, ...]) -> None:
    for name in names if queues else ():
        transport = application.transport(name)
        if not isinstance(transport, QueueTransport):
            raise click.UsageError(f"--queues: the transport {name!r} has no queues; only SQL transports have them")
        transport.only_queues(queues)


def _pool() -> str:
    return os.environ.get("MESSENGER_POOL") or os.environ.get("SUPERVISOR_GROUP_NAME", "")


def _pause_under_supervisor() -> None:
    if os.environ.get("SUPERVISOR_ENABLED"):
        time.sleep(_PAUSE_BEFORE_FAILING_SECONDS)


def read_options(arguments: Sequence[str]) -> dict[str, Any]:
    """Read a command line as `messenger consume` does, and run nothing.

    Raises:
        click.ClickException: its usage is wrong, or it asks for the help.
    """
    try:
        return consume.make_context("consume", list(arguments)).params
    except click.exceptions.Exit:  # --help
        raise click.UsageError("it does not run a worker") from None
