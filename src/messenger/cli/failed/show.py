"""messenger failed show: the failed messages, one of them, or how many of each class."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click

from messenger.application import Application
from messenger.cli.common import format_option, load, print_json, print_table
from messenger.cli.failed.choice import failed_ids, open_store, selection, selection_options, transport_option
from messenger.cli.failed.describe import description, print_description, summary
from messenger.cli.terminal import say
from messenger.errors import TransportError
from messenger.failure.store import FailedMessages, Selection, message_type

_ERROR_WIDTH = 80


@click.command(short_help="List them, or show one.")
@click.argument("message_id", required=False, metavar="[ID]", shell_complete=failed_ids)
@click.option("--max", "maximum", type=click.IntRange(min=1), default=50, show_default=True, help="How many to list.")
@click.option("--stats", is_flag=True, help="Count them by class instead.")
@selection_options
@transport_option
@click.option("-v", "--verbose", count=True, help="-v: also class, error, headers and stamps. -vv: also the trace.")
@format_option
@click.pass_context
def show(
    context: click.Context,
    message_id: str | None,
    maximum: int,
    stats: bool,
    filters: Any,
    transport: str | None,
    verbose: int,
    output: str,
) -> None:
    """List the failed messages, oldest first, or show the one with this ID with its body.

    With -v every listed message is shown in full. --since and --until look at when a message failed last.

    Exit codes: 0; 1 when there is no such message or the store cannot be reached; 64 wrong usage; 78 the
    configuration or the application cannot be loaded.

    \b
        messenger failed show
        messenger failed show --class-filter SmsNotification --since 2h --stats
        messenger failed show 1732443120000-0 --verbose
    """
    if message_id is not None and stats:
        raise click.UsageError("give an ID or --stats, not both")
    application = load(context)
    wanted = selection(application, filters, (message_id,) if message_id is not None else ())
    store = open_store(application, transport)
    if stats:
        _print_stats(store, Counter(map(message_type, store.select(wanted))), output)
    elif message_id is not None:
        envelope = store.find(message_id)
        if envelope is None and output == "json":
            print_json({"transport": store.name, "messages": []})
        if envelope is None:
            raise TransportError(f"no message {message_id!r} in {store.name!r}; `messenger failed show` lists them")
        _print_one(store, description(application, envelope, verbose), output)
    else:
        _print_list(application, store, wanted, maximum, verbose, output)
    application.close()


def _print_stats(store: FailedMessages, counts: Counter[str], output: str) -> None:
    if output == "json":
        print_json({"transport": store.name, "classes": dict(counts.most_common())})
    else:
        print_table(("CLASS", "COUNT"), counts.most_common())


def _print_one(store: FailedMessages, document: dict[str, Any], output: str) -> None:
    if output == "json":
        print_json({"transport": store.name, "messages": [document]})
    else:
        print_description(document)


def _print_list(
    application: Application, store: FailedMessages, wanted: Selection, maximum: int, verbose: int, output: str
) -> None:
    found = store.select(wanted, maximum + 1)
    shown, more = found[:maximum], len(found) > maximum
    documents = [description(application, e, verbose) if verbose else summary(e) for e in shown]
    if output == "json":
        print_json({"transport": store.name, "on_this_host": store.on_this_host, "messages": documents})
    elif not documents:
        which = "" if wanted.is_everything else "such "
        say(f"no {which}failed messages in {store.name!r}")
    elif verbose:
        for document in documents:
            print_description(document)
            say()
    else:
        rows = [(d["id"], d["type"], d["from"], d["failed_at"], d["error"][:_ERROR_WIDTH]) for d in documents]
        print_table(("ID", "CLASS", "FROM", "FAILED AT", "ERROR"), rows)
    if more:
        say(f"there are more; these are the oldest {maximum}: --max shows more of them", err=True)
