"""messenger setup-transports: create streams, groups and tables."""

from __future__ import annotations

import click

from messenger.cli import complete
from messenger.cli.common import format_option, load, print_json
from messenger.cli.terminal import say
from messenger.errors import TransportError


@click.command("setup-transports", short_help="Create streams, groups and tables.")
@click.argument("names", nargs=-1, metavar="[TRANSPORT]...", shell_complete=complete.transports)
@format_option
@click.pass_context
def setup_transports(context: click.Context, names: tuple[str, ...], output: str) -> int:
    """Create what the transports need on their servers; all of them, or those named. Harmless when it is there.

    Exit codes: 0; 1 when one could not be set up, the others are; 64 wrong usage; 78 the configuration or the
    application cannot be loaded, or has no such transport.

    \b
        messenger setup-transports
        messenger setup-transports async failed
    """
    application = load(context)
    transports = [application.transport(name) for name in dict.fromkeys(names or application.transport_names)]
    ready: list[str] = []
    problems: dict[str, str] = {}
    for transport in transports:
        try:
            transport.setup()
            ready.append(transport.name)
        except TransportError as error:
            problems[transport.name] = str(error)
    application.close()
    if output == "json":
        print_json({"ready": ready, "problems": problems})
        return 1 if problems else 0
    for name in ready:
        say(f"{name}: ready")
    for name, problem in problems.items():
        say(f"{name}: not ready: {problem}", err=True)
    return 1 if problems else 0
