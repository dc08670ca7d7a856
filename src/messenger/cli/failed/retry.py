"""messenger failed retry: have failed messages handled again."""

from __future__ import annotations

from collections.abc import Sequence

import click

from messenger.application import Application
from messenger.cli.common import format_option, load
from messenger.cli.failed.choice import Wanted, wanted_options
from messenger.cli.failed.describe import description, print_description
from messenger.cli.failed.outcome import Enough, Round, RoundOutcome, Work, print_outcome
from messenger.cli.terminal import choose, confirm, is_asked, say
from messenger.envelope import AnyEnvelope
from messenger.failure.store import FailedMessages

UNDONE = "not retried"


@click.command(short_help="Have them handled again.")
@wanted_options
@click.option("--now", is_flag=True, help="Handle them here, in this process, instead of sending them to the workers.")
@click.option("--force", is_flag=True, help="Do not ask before --all; only a terminal is asked.")
@format_option
@click.pass_context
def retry(context: click.Context, wanted: Wanted, now: bool, force: bool, output: str) -> int:
    """Send failed messages back to the transport they came from, for a worker to handle.

    With neither IDs nor --all, a terminal is asked what to do with each message: retry, skip or delete.

    A message leaves the failure transport only when the other one has confirmed it, or, with --now, when it is
    handled; handlers that succeeded before are skipped. What could not be decoded goes back as it came.

    Exit codes: 0; 1 when one could not be retried or was not found; 64 wrong usage; 78 the configuration or the
    application cannot be loaded.

    \b
        messenger failed retry 1732443120000-0
        messenger failed retry --all --class-filter SmsNotification
    """
    one_by_one = not wanted.ids and not wanted.everything and output == "text" and is_asked()
    if not one_by_one:
        wanted.check()
    application = load(context)
    store, chosen = wanted.find(application)
    work = _handle(store) if now else _send_back(store)
    if wanted.everything and not force and chosen and is_asked():
        confirm(f"Retry {len(chosen)} messages of {store.name!r}?", default=True)
    if one_by_one:
        outcome = _Interactive(application, store, work).go(chosen)
    else:
        quiet = wanted.everything or output == "json"
        outcome = Round(store, work, UNDONE, bool(wanted.ids), quiet).go(chosen, "Retrying")
    application.close()
    return print_outcome(store, outcome, output, with_totals=wanted.everything or one_by_one)


def _send_back(store: FailedMessages) -> Work:
    return lambda envelope: f"sent to {store.send_back(envelope)!r}"


def _handle(store: FailedMessages) -> Work:
    def work(envelope: AnyEnvelope) -> str:
        store.handle(envelope)
        return "handled"

    return work


class _Interactive:
    """Shows one message after the other and asks what to do with it."""

    def __init__(self, application: Application, store: FailedMessages, retry: Work) -> None:
        self._application = application
        self._store = store
        self._retry = retry
        self._count = 0
        self._of = 0

    def go(self, ids: Sequence[str]) -> RoundOutcome:
        """Until all were shown, or the operator has enough."""
        self._of = len(ids)
        return Round(self._store, self._ask, UNDONE, named=False, quiet=False).go(ids)

    def _ask(self, envelope: AnyEnvelope) -> str:
        self._count += 1
        say()
        say(f"{self._count} of {self._of}")
        print_description(description(self._application, envelope))
        try:
            answer = choose("What to do?", ("retry", "skip", "delete", "quit"), "retry")
        except click.Abort:
            answer = "quit"
        if answer == "quit":
            raise Enough
        if answer == "skip":
            return "skipped"
        if answer == "delete":
            self._store.remove(envelope)
            return "deleted"
        return self._retry(envelope)
