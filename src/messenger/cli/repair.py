"""messenger repair: remove what nobody can read from the control plane."""

from __future__ import annotations

import click

from messenger.cli.common import format_option, load, need_control, print_json
from messenger.cli.terminal import say


@click.command(short_help="Remove what is unreadable in the control plane.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@format_option
@click.pass_context
def repair(context: click.Context, dry_run: bool, output: str) -> int:
    """Remove from the control plane's keys in Redis what no worker and no operator has written.

    These are the registry of workers, the stop counters and the pauses. Workers and commands pass over what is
    unreadable there, and `messenger check` names it. A key of another type is deleted, but not a stream: it may hold
    messages. Messages, and pauses that can be read, are not touched.

    Exit codes: 0; 1 something unreadable is left, or Redis cannot be reached; 64 wrong usage; 78 the configuration or
    the application cannot be loaded, or it has no Redis.

    \b
        messenger repair --dry-run
        messenger repair
    """
    control = need_control(load(context))
    removed, left = ([], control.repairs.look()) if dry_run else control.repairs.repair()
    if output == "json":
        print_json({"removed": [str(problem) for problem in removed], "left": [str(problem) for problem in left]})
    else:
        for problem in removed:
            say(f"removed: {problem}")
        for problem in left:
            say(f"unreadable: {problem}", err=True)
        if not removed and not left:
            say("everything can be read")
    return 1 if left and not dry_run else 0
