"""messenger check: whether servers, rights, timeouts and Supervisor fit together, and what to change."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import msgspec

from messenger.application import Application
from messenger.checks.application import check_application
from messenger.checks.finding import Finding, Place
from messenger.checks.redis import check_control, check_redis_transport
from messenger.checks.run import Task, run_tasks
from messenger.checks.sql import check_sql_transport
from messenger.checks.supervisor import check_supervisor
from messenger.cli.common import format_option, load, print_json
from messenger.cli.terminal import say
from messenger.control.confirmed import Confirmed
from messenger.errors import TransportError
from messenger.transports.base import Transport
from messenger.transports.redis.transport import RedisTransport
from messenger.transports.sql.transport import SqlTransport

Check = Callable[[], Iterable[Finding]]
DEFAULT_CONF = Path("/etc/supervisor/conf.d/messenger-worker.conf")


@click.command(short_help="Whether everything around the workers is set up well.")
@click.option(
    "--supervisor-conf",
    "confs",
    multiple=True,
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=f"Supervisor's configuration, with what it includes. Default: {DEFAULT_CONF}, when it is there.",
)
@click.option("--strict", is_flag=True, help="Warnings fail, too.")
@format_option
@click.pass_context
def check(context: click.Context, confs: tuple[Path, ...], strict: bool, output: str) -> int:
    """Look at Redis, SQL stores, timeouts and Supervisor, and say what to change.

    It changes nothing anywhere and takes a few seconds. Run it as the application's user. With --format json it also
    lists the live workers of this host.

    Exit codes: 0 nothing failed; 1 something did (with --strict also a warning); 64 wrong usage; 78 the configuration
    or the application cannot be loaded.

    \b
        messenger check
        messenger check --strict --format json
    """
    application = load(context)
    files = confs or ((DEFAULT_CONF,) if DEFAULT_CONF.exists() else ())
    findings = run_tasks(_tasks(application, files))
    counts = {level: sum(finding.level == level for finding in findings) for level in ("ok", "warn", "fail")}
    if output == "json":
        found = [asdict(finding) for finding in findings]
        print_json({"findings": found, "counts": counts, "workers": _workers_here(application)})
    else:
        for finding in findings:
            say(str(finding))
        say()
        say(f"{counts['ok']} ok, {counts['warn']} to be looked at, {counts['fail']} failed")
    return 1 if counts["fail"] or (strict and counts["warn"]) else 0


def _workers_here(application: Application) -> list[Any] | None:
    """Return the live workers of this host, for a deploy to compare with later; None without a registry."""
    control = application.control()
    if control is None:
        return None
    try:
        found = Confirmed(application.host).of(control.workers(application.host))
        return [msgspec.to_builtins(worker) for worker in found]
    except TransportError:
        return None  # why is among the findings


def _tasks(application: Application, confs: Iterable[Path]) -> list[Task]:
    tasks = [Task("application", str(application.loaded.path), lambda: check_application(application))]
    for name in application.transport_names:
        run = _transport_check(name, application.transport(name))
        if run is not None:
            tasks.append(Task("transport", f"transport {name}", run))
    tasks.append(Task("control", "control plane", lambda: _check_control(application)))
    tasks += [Task("supervisor", str(path), _supervisor_check(application, path)) for path in confs]
    return tasks


def _check_control(application: Application) -> Iterable[Finding]:
    control = application.control()
    if control is None:
        return [Place("control", "control plane").ok("no Redis is configured, so Supervisor alone stops workers")]
    limiters = [name for name, limiter in application.config.rate_limiters.items() if limiter.service is None]
    return check_control(control.prefix, control.options, limiters)


def _transport_check(name: str, transport: Transport) -> Check | None:
    """Return the check of a transport; None when there is nothing to ask."""
    if isinstance(transport, RedisTransport):
        return lambda: check_redis_transport(name, transport.options)
    if isinstance(transport, SqlTransport):
        return lambda: check_sql_transport(name, transport.options)
    return None


def _supervisor_check(application: Application, path: Path) -> Check:
    from messenger.cli.consume import read_options

    return lambda: check_supervisor(application, path, read_options)
