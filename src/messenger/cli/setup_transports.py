"""messenger setup-transports: create streams, groups and tables."""

from __future__ import annotations

import click

from messenger.cli import complete
from messenger.cli.common import load


@click.command("setup-transports", short_help="Create streams, groups and tables.")
@click.argument("names", nargs=-1, metavar="[TRANSPORT]...", shell_complete=complete.transports)
@click.pass_context
def setup_transports(context: click.Context, names: tuple[str, ...]) -> None:
    """Create what the transports need on their servers; all of them, or those named. Harmless when it is there."""
    application = load(context)
    for name in names or application.transport_names:
        application.transport(name).setup()
        click.echo(f"{name}: ready")
    application.close()
