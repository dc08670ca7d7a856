"""messenger failed show | retry | remove: the failure transport."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import click

from messenger.application import Application
from messenger.cli.common import format_option, load, print_json, print_table
from messenger.envelope import AnyEnvelope
from messenger.errors import ConfigError, MessengerError, TransportError
from messenger.failed_messages import FailedMessages
from messenger.messages import wire_name
from messenger.stamps import ErrorDetailsStamp, MessageIdsStamp, RedeliveryStamp, SentToFailureTransportStamp
from messenger.wire.serializer import UndecodableMessage

transport_option = click.option(
    "--transport", metavar="NAME", help="Which failure transport; needed only when there are several."
)


@click.group(short_help="Failed messages: show, retry, remove.")
def failed() -> None:
    """Look at failed messages, send them to be handled again, or remove them."""


@failed.command()
@click.argument("message_id", required=False, metavar="[ID]")
@click.option("--max", "maximum", type=click.IntRange(min=1), default=50, show_default=True, help="How many to list.")
@transport_option
@format_option
@click.pass_context
def show(context: click.Context, message_id: str | None, maximum: int, transport: str | None, output: str) -> None:
    """List the failed messages, or show the one with this ID with its body."""
    application = load(context)
    store = _store(application, transport)
    envelopes = [_found(store, message_id)] if message_id else store.all(maximum)
    documents = [_describe(application, envelope, with_body=message_id is not None) for envelope in envelopes]
    application.close()
    if output == "json":
        print_json({"transport": store.name, "messages": documents})
    elif message_id:
        for key, value in documents[0].items():
            click.echo(f"{key:<14} {'-' if value is None else value}")
    elif not documents:
        click.echo(f"no failed messages in {store.name!r}")
    else:
        rows = [(d["id"], d["type"], d["from"], d["failed_at"], d["error"][:80]) for d in documents]
        print_table(("ID", "TYPE", "FROM", "FAILED AT", "ERROR"), rows)


@failed.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "everything", is_flag=True, help="All of them.")
@click.option("--now", is_flag=True, help="Handle them here, in this process, instead of sending them to the workers.")
@transport_option
@click.pass_context
def retry(context: click.Context, ids: tuple[str, ...], everything: bool, now: bool, transport: str | None) -> int:
    """Send failed messages back to the transport they came from.

    A message leaves the failure transport only when the other one has confirmed it, or, with --now, when it is
    handled.
    Exit codes: 0; 1 when one could not be retried.
    """
    application = load(context)
    store = _store(application, transport)
    problems = 0
    for envelope in _chosen(store, ids, everything):
        message_id = envelope.id
        try:
            where = store.handle(envelope) if now else store.send_back(envelope)
        except MessengerError as error:
            problems += 1
            click.echo(f"{message_id}: not retried, it stays in {store.name!r}: {error}", err=True)
        else:
            click.echo(f"{message_id}: {'handled' if now else f'sent to {where!r}'}")
    application.close()
    return 1 if problems else 0


@failed.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "everything", is_flag=True, help="All of them.")
@click.option("--force", is_flag=True, help="Do not ask.")
@transport_option
@click.pass_context
def remove(context: click.Context, ids: tuple[str, ...], everything: bool, force: bool, transport: str | None) -> None:
    """Remove failed messages for good. Asks first."""
    application = load(context)
    store = _store(application, transport)
    chosen = list(_chosen(store, ids, everything))
    if not force:
        click.confirm(f"Remove {len(chosen)} messages from {store.name!r} for good?", default=False, abort=True)
    for envelope in chosen:
        store.remove(envelope)
        click.echo(f"{envelope.id}: removed")
    application.close()


def _store(application: Application, name: str | None) -> FailedMessages:
    names = application.failure_transport_names
    if name is None and len(names) > 1:
        raise click.UsageError(f"which failure transport? Allowed for --transport: {', '.join(names)}")
    if name is not None and name not in names:
        raise click.UsageError(f"{name!r} is no failure transport; allowed: {', '.join(names) or 'none'}")
    if not names:
        raise ConfigError("no failure transport: messenger.yaml says 'failure_transport: null'")
    return FailedMessages(application, name or names[0])


def _chosen(store: FailedMessages, ids: Sequence[str], everything: bool) -> Iterable[AnyEnvelope]:
    if bool(ids) == everything:
        raise click.UsageError("give the IDs that `messenger failed show` lists, or --all")
    return store.everything() if everything else [_found(store, message_id) for message_id in ids]


def _found(store: FailedMessages, message_id: str) -> AnyEnvelope:
    envelope = store.find(message_id)
    if envelope is None:
        raise TransportError(f"no message {message_id!r} in {store.name!r}; `messenger failed show` lists them")
    return envelope


def _describe(application: Application, envelope: AnyEnvelope, *, with_body: bool) -> dict[str, Any]:
    message = envelope.message
    undecodable = isinstance(message, UndecodableMessage)
    origin = envelope.last(SentToFailureTransportStamp)
    error = envelope.last(ErrorDetailsStamp)
    redelivered = envelope.last(RedeliveryStamp)
    document: dict[str, Any] = {
        "id": envelope.id,
        "type": message.headers.get("type", "undecodable") if undecodable else wire_name(type(message)),
        "from": origin.original_receiver_name if origin is not None else "-",
        "failed_at": _local(redelivered.redelivered_at) if redelivered is not None else "-",
        "error": _error_text(error, message.reason if undecodable else "-"),
    }
    if with_body:
        document |= _ids(envelope)
        document["body"] = application.serializer.encode(envelope).body
    return document


def _ids(envelope: AnyEnvelope) -> dict[str, str | None]:
    """Which message it is and what caused it; null when it came without ids."""
    ids = envelope.last(MessageIdsStamp)
    return {
        "message_id": ids.message_id if ids is not None else None,
        "correlation_id": ids.correlation_id if ids is not None else None,
        "causation_id": ids.causation_id if ids is not None else None,
    }


def _error_text(error: ErrorDetailsStamp | None, otherwise: str) -> str:
    return f"{error.exception_class}: {error.exception_message}" if error is not None else otherwise


def _local(moment: datetime) -> str:
    with suppress(OverflowError):  # at the edge of the calendar, where somebody else's clock may be: as it came
        moment = moment.astimezone()
    return moment.isoformat(sep=" ", timespec="seconds")
