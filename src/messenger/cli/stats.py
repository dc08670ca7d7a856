"""messenger stats: how many messages wait where, who holds them, and what waits too long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from messenger.application import Application
from messenger.cli import complete
from messenger.cli.common import format_option, load, print_json, print_table, seconds_text
from messenger.cli.terminal import say
from messenger.errors import ConfigError, TransportError
from messenger.transports.base import ConsumerTransport, Depth, Transport


@click.command(short_help="How many messages wait where.")
@click.argument("names", nargs=-1, metavar="[TRANSPORT]...", shell_complete=complete.transports)
@click.option("--alarm", is_flag=True, help="Exit with 1 when a transport is LATE; for cron and monitoring.")
@click.option("-v", "--verbose", is_flag=True, help="Also show which consumers hold messages.")
@format_option
@click.pass_context
def stats(context: click.Context, names: tuple[str, ...], alarm: bool, verbose: bool, output: str) -> int:
    """Show how many messages are ready, in flight and delayed in each TRANSPORT, and the age of the oldest one ready.

    A transport is LATE when a message waits in it for longer than its `max_age` (seconds, in messenger.yaml).

    Exit codes: 0; 1 a transport could not be asked, or, with --alarm, one is LATE or has an unknown name; 64 wrong
    usage; 78 the configuration or the application cannot be loaded, or --alarm has no max_age to look at.

    \b
        messenger stats
        messenger stats async --verbose
        messenger stats --alarm --format json
    """
    application = load(context)
    known, unknown = _known(application, names)
    if alarm and all(application.transport_config(name).max_age is None for name in known):
        raise ConfigError(
            f"{application.loaded.path}: --alarm: no transport that is looked at has a max_age; set "
            "transports.NAME.max_age to the seconds that a message may wait"
        )
    document = _ask(application, known, verbose)
    application.close()
    if output == "json":
        print_json(document)
    else:
        _print(document)
    late = [name for name, found in document["transports"].items() if found["late"]]
    return 1 if document["unreachable"] or (alarm and (late or unknown)) else 0


def _known(application: Application, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The transports to look at, and the names that are none: these are warned about and passed over."""
    unknown = [name for name in names if name not in application.transport_names]
    for name in unknown:
        allowed = ", ".join(application.transport_names)
        say(f"warning: no transport is called {name!r}; known: {allowed}", err=True)
    return [name for name in names or application.transport_names if name not in unknown], unknown


def _ask(application: Application, names: Sequence[str], verbose: bool) -> dict[str, Any]:
    """The JSON document. `count` and `uncountable_transports` are Symfony's."""
    transports: dict[str, dict[str, Any]] = {}
    unreachable: dict[str, str] = {}
    for name in names:
        try:
            max_age = application.transport_config(name).max_age
            transports[name] = _describe(application.transport(name), max_age, verbose)
        except TransportError as error:
            unreachable[name] = str(error)
    failed = {
        name: found["ready"] + found["in_flight"] + found["delayed"]
        for name, found in transports.items()
        if name in application.failure_transport_names
    }
    return {
        "transports": transports,
        "uncountable_transports": list(unreachable),
        "failed": failed,
        "unreachable": unreachable,
    }


def _describe(transport: Transport, max_age: float | None, verbose: bool) -> dict[str, Any]:
    depth = transport.depth()
    found: dict[str, Any] = {
        "count": depth.ready,
        "ready": depth.ready,
        "in_flight": depth.in_flight,
        "delayed": depth.delayed,
        "next_due_seconds": depth.next_due_seconds,
        "oldest_seconds": depth.oldest_seconds,
        "max_age": max_age,
        "late": max_age is not None and (longest_wait(depth) or 0.0) > max_age,
    }
    if verbose and isinstance(transport, ConsumerTransport):
        found["consumers"] = [
            {"name": held.consumer, "in_flight": held.count, "idle_seconds": held.idle_seconds}
            for held in transport.in_flight()
        ]
    return found


def longest_wait(depth: Depth) -> float | None:
    """For how many seconds the message that waits longest could have been taken; None: none could."""
    overdue = -depth.next_due_seconds if depth.next_due_seconds is not None and depth.next_due_seconds < 0 else None
    waits = [seconds for seconds in (depth.oldest_seconds, overdue) if seconds is not None]
    return max(waits, default=None)


def _print(document: dict[str, Any]) -> None:
    transports = document["transports"]
    print_table(
        ("TRANSPORT", "READY", "IN FLIGHT", "DELAYED", "NEXT DUE", "OLDEST", "MAX AGE"),
        [
            (
                name,
                found["ready"],
                found["in_flight"],
                found["delayed"],
                _due_text(found["next_due_seconds"]),
                seconds_text(found["oldest_seconds"]),
                seconds_text(found["max_age"]) + " LATE" * found["late"],
            )
            for name, found in transports.items()
        ],
    )
    _print_consumers(transports)
    for name, count in document["failed"].items():
        if count:
            say(f"{count} failed in {name!r}: see `messenger failed show`")
    for name, reason in document["unreachable"].items():
        say(f"{name}: cannot be asked: {reason}", err=True)


def _print_consumers(transports: dict[str, Any]) -> None:
    rows = [
        (name, held["name"], held["in_flight"], seconds_text(held["idle_seconds"]))
        for name, found in transports.items()
        for held in found.get("consumers", ())
    ]
    if rows:
        say()
        print_table(("TRANSPORT", "CONSUMER", "IN FLIGHT", "SILENT FOR"), rows)


def _due_text(seconds: float | None) -> str:
    """When the next delayed message is due, for people."""
    if seconds is None:
        return "-"
    return f"in {seconds_text(seconds)}" if seconds >= 0 else f"{seconds_text(-seconds)} ago"
