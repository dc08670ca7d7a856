"""messenger failed show | retry | remove: the failure transport. One file a command."""

from __future__ import annotations

import click

from messenger.cli import LazyGroup


@click.group(
    cls=LazyGroup,
    commands_from={
        "remove": "messenger.cli.failed.remove:remove",
        "retry": "messenger.cli.failed.retry:retry",
        "show": "messenger.cli.failed.show:show",
    },
    short_help="Failed messages: show, retry, remove.",
)
def failed() -> None:
    """Look at failed messages, send them to be handled again, or remove them.

    A failed message leaves its store only by success or by one of these commands.
    """
