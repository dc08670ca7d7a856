"""messenger failed remove: take failed messages away for good."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from messenger.application import Application
from messenger.cli.common import format_option, load
from messenger.cli.failed.choice import (
    choose_ids,
    ids_argument,
    open_store,
    selection,
    selection_options,
    transport_option,
)
from messenger.cli.failed.describe import description, print_description
from messenger.cli.failed.outcome import Round, Work, print_outcome
from messenger.cli.terminal import confirm
from messenger.envelope import AnyEnvelope
from messenger.failed_messages import FailedMessages


@click.command(short_help="Take them away for good.")
@ids_argument
@click.option("--all", "everything", is_flag=True, help="All of them, or all that the filters leave.")
@click.option("--force", is_flag=True, help="Do not ask.")
@click.option("--show-messages", is_flag=True, help="Show each of them before asking.")
@selection_options
@transport_option
@format_option
@click.pass_context
def remove(
    context: click.Context,
    ids: tuple[str, ...],
    everything: bool,
    force: bool,
    show_messages: bool,
    filters: Any,
    transport: str | None,
    output: str,
) -> int:
    """Remove failed messages for good. Asks first; the answer is no unless it is yes.

    Exit codes: 0; 1 when one could not be removed or was not found, or the answer was no; 64 wrong usage; 78 the
    configuration or the application cannot be loaded.
    """
    if bool(ids) == everything:
        raise click.UsageError("give the IDs that `messenger failed show` lists, or --all")
    application = load(context)
    wanted = selection(application, filters, ids)
    store = open_store(application, transport)
    chosen = choose_ids(store, ids, wanted)
    if show_messages:
        _show(application, store, chosen)
    if not force and any(store.find(message_id) for message_id in chosen):
        confirm(f"Remove {len(chosen)} messages from {store.name!r} for good?", default=False)
    quiet = everything or output == "json"
    outcome = Round(store, _work(store), "not removed", bool(ids), quiet).go(chosen, "Removing")
    application.close()
    return print_outcome(store, outcome, output, with_totals=everything)


def _show(application: Application, store: FailedMessages, ids: Sequence[str]) -> None:
    """To stderr, with the question: stdout is for the outcome."""
    for message_id in ids:
        envelope = store.find(message_id)
        if envelope is not None:
            print_description(description(application, envelope), err=True)
            click.echo(err=True)


def _work(store: FailedMessages) -> Work:
    def work(envelope: AnyEnvelope) -> str:
        store.remove(envelope)
        return "removed"

    return work
