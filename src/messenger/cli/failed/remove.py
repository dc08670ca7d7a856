"""messenger failed remove: remove failed messages permanently."""

from __future__ import annotations

from collections.abc import Sequence

import click

from messenger.application import Application
from messenger.cli.common import format_option, load
from messenger.cli.failed.choice import Wanted, wanted_options
from messenger.cli.failed.describe import description, print_description
from messenger.cli.failed.outcome import Round, Work, print_outcome
from messenger.cli.terminal import confirm, say
from messenger.envelope import AnyEnvelope
from messenger.failure.store import FailedMessages


@click.command(short_help="Take them away for good.")
@wanted_options
@click.option("--force", is_flag=True, help="Do not ask.")
@click.option("--show-messages", is_flag=True, help="Show each of them before asking.")
@format_option
@click.pass_context
def remove(context: click.Context, wanted: Wanted, force: bool, show_messages: bool, output: str) -> int:
    """Remove failed messages for good. Asks first; the answer is no unless it is yes.

    Exit codes: 0; 1 when one could not be removed or was not found, or the answer was no; 64 wrong usage; 78 the
    configuration or the application cannot be loaded.

    \b
        messenger failed remove 1732443120000-0 --show-messages
        messenger failed remove --all --until 30d --force
    """
    wanted.check()
    application = load(context)
    store, chosen = wanted.find(application)
    if show_messages:
        _show(application, store, chosen)
    if not force and any(store.find(message_id) for message_id in chosen):
        confirm(f"Remove {len(chosen)} messages from {store.name!r} for good?", default=False)
    quiet = wanted.everything or output == "json"
    outcome = Round(store, _work(store), "not removed", bool(wanted.ids), quiet).go(chosen, "Removing")
    application.close()
    return print_outcome(store, outcome, output, with_totals=wanted.everything)


def _show(application: Application, store: FailedMessages, ids: Sequence[str]) -> None:
    """To stderr, with the question: stdout is for the outcome."""
    for message_id in ids:
        envelope = store.find(message_id)
        if envelope is not None:
            print_description(description(application, envelope), err=True)
            say(err=True)


def _work(store: FailedMessages) -> Work:
    def work(envelope: AnyEnvelope) -> str:
        store.remove(envelope)
        return "removed"

    return work
