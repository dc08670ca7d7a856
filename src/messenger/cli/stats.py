"""messenger stats: how many messages wait where."""

from __future__ import annotations

from typing import Any

import click

from messenger.cli.common import format_option, load, print_json, print_table, seconds_text
from messenger.errors import TransportError


@click.command(short_help="How many messages wait where.")
@click.argument("names", nargs=-1, metavar="[TRANSPORT]...")
@format_option
@click.pass_context
def stats(context: click.Context, names: tuple[str, ...], output: str) -> int:
    """Show how many messages are ready, in flight and delayed in each transport, and the age of the oldest one ready.

    Exit codes: 0; 1 when a transport could not be asked.
    """
    application = load(context)
    transports: dict[str, Any] = {}
    failed: dict[str, int] = {}
    unreachable: dict[str, str] = {}
    for name in names or application.transport_names:
        try:
            depth = application.transport(name).depth()
        except TransportError as error:
            unreachable[name] = str(error)
            continue
        transports[name] = {
            "ready": depth.ready,
            "in_flight": depth.in_flight,
            "delayed": depth.delayed,
            "oldest_seconds": depth.oldest_seconds,
        }
        if name in application.failure_transport_names:
            failed[name] = depth.ready + depth.in_flight + depth.delayed
    application.close()
    if output == "json":
        print_json({"transports": transports, "failed": failed, "unreachable": unreachable})
    else:
        _print(transports, failed, unreachable)
    return 1 if unreachable else 0


def _print(transports: dict[str, Any], failed: dict[str, int], unreachable: dict[str, str]) -> None:
    print_table(
        ("TRANSPORT", "READY", "IN FLIGHT", "DELAYED", "OLDEST"),
        [
            (name, d["ready"], d["in_flight"], d["delayed"], seconds_text(d["oldest_seconds"]))
            for name, d in transports.items()
        ],
    )
    for name, count in failed.items():
        if count:
            click.echo(f"{count} failed in {name!r}: see `messenger failed show`")
    for name, reason in unreachable.items():
        click.echo(f"{name}: cannot be asked: {reason}", err=True)
