"""messenger repair: remove unreadable values from the control plane."""

from __future__ import annotations

import click

from messenger.application import Application
from messenger.cli import complete
from messenger.cli.common import format_option, load, need_control, print_json
from messenger.cli.terminal import say
from messenger.redis.open import connect
from messenger.redis.scripts import Script
from messenger.transports.redis.transport import RedisTransport


@click.command(short_help="Remove what is unreadable in the control plane.")
@click.option(
    "--stream",
    "transport",
    metavar="TRANSPORT",
    shell_complete=complete.transports,
    help="Begin the empty stream of this transport again, whose ids are at their end or ahead of the clock.",
)
@click.option("--force", is_flag=True, help="Delete a stream, too, that has the name of a key of the control plane.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@format_option
@click.pass_context
def repair(context: click.Context, transport: str | None, force: bool, dry_run: bool, output: str) -> int:
    """Remove from the control plane's keys in Redis what no worker and no operator has written.

    These are the registry of workers, the stop counters and the pauses. Workers and commands pass over what is
    unreadable there, and `messenger check` names it. A key of another type is deleted, but a stream only with
    --force: it may hold messages of another application. Messages, and pauses that can be read, are not touched.

    With --stream it begins a stream again instead: once all that was in it is handled. Its groups stay, and its delayed
    messages lie elsewhere. It is for a stream in which somebody has added an entry with an id in the future.

    Exit codes: 0; 1 something unreadable is left, the stream has entries, or Redis cannot be reached; 64 wrong usage;
    78 the configuration or the application cannot be loaded, or it has no Redis.

    \b
        messenger repair --dry-run
        messenger repair
        messenger repair --stream async
    """
    application = load(context)
    if transport is not None:
        return _restart(application, transport, output)
    control = need_control(application)
    removed, left = ([], control.repairs.look()) if dry_run else control.repairs.repair(streams=force)
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


def _restart(application: Application, name: str, output: str) -> int:
    transport = application.transport(name)
    if not isinstance(transport, RedisTransport):
        raise click.UsageError(f"--stream: the transport {name!r} has no stream; it is not of Redis")
    stream = transport.options.stream
    connection = connect(transport.options)
    count = Script("restart_stream", "messenger.transports.redis").run(connection, (stream,))
    connection.close()
    if output == "json":
        print_json({"stream": stream, "begun_again": not count, "entries": count})
    elif count:
        say(f"not begun again: stream {stream!r} has {count} entries; have workers handle them first", err=True)
    else:
        say(f"begun again: stream {stream!r}")
    return 1 if count else 0
