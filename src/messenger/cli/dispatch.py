"""messenger dispatch: send one message by hand."""

from __future__ import annotations

import secrets
from typing import Any

import click

from messenger.cli.common import format_option, load, need_control, print_json
from messenger.control import Reply
from messenger.envelope import AnyEnvelope, Envelope
from messenger.errors import HandlerFailed
from messenger.messages import wire_name
from messenger.stamps import DelayStamp, ReplyStamp, SentStamp, Stamp, TransportNamesStamp


@click.command(short_help="Send one message by hand.")
@click.argument("message_type", metavar="TYPE")
@click.argument("body", metavar="JSON")
@click.option("--delay", type=click.IntRange(min=0), help="Milliseconds to wait before it may be handled.")
@click.option("--transport", "transports", multiple=True, help="Send it here instead of where the routing says.")
@click.option("--wait", type=click.FloatRange(min=0, min_open=True), help="Wait this many seconds for a worker to handle it.")  # fmt: skip # noqa: E501
@format_option
@click.pass_context
def dispatch(
    context: click.Context,
    message_type: str,
    body: str,
    delay: int | None,
    transports: tuple[str, ...],
    wait: float | None,
    output: str,
) -> int:
    """Dispatch one message: a smoke test after a deploy, or an operator's message.

    TYPE is the wire name, the dotted class name or the class name alone; JSON holds the message's fields.

    Exit codes: 0 sent, or handled when --wait is given; 1 not handled in time, or failed.

    \b
        messenger dispatch SmsNotification '{"content": "hello"}' --wait 10
    """
    application = load(context)
    for name in transports:
        application.transport(name)
    message = application.serializer.read(application.messages.find(message_type), body)
    token = secrets.token_hex(16)
    stamps: list[Stamp] = [ReplyStamp(token)] if wait else []
    if delay:
        stamps.append(DelayStamp(delay))
    if transports:
        stamps.append(TransportNamesStamp(transports))
    try:
        envelope = application.dispatch(message, stamps)
    except HandlerFailed as error:
        return _print(_result(Envelope(message), "failed", error=str(error)), output)
    result = _result(envelope, "sent" if envelope.last(SentStamp) else "handled")
    if wait and result["status"] == "sent":
        reply = need_control(application).await_reply(token, wait)
        result |= _outcome(reply, wait)
    application.close()
    return _print(result, output)


def _result(envelope: AnyEnvelope, status: str, error: str | None = None) -> dict[str, Any]:
    return {
        "id": envelope.id,
        "type": wire_name(type(envelope.message)),
        "transports": [sent.transport_name for sent in envelope.all(SentStamp)],
        "status": status,
        "worker": None,
        "milliseconds": None,
        "error": error,
    }


def _outcome(reply: Reply | None, seconds: float) -> dict[str, Any]:
    if reply is None:
        return {
            "status": "timeout",
            "error": f"no worker has handled it within {seconds:g} s; it stays in its transport",
        }
    return {
        "status": reply.status,
        "worker": reply.worker,
        "milliseconds": reply.milliseconds,
        "error": reply.error,
    }


def _print(result: dict[str, Any], output: str) -> int:
    failed = result["status"] in ("failed", "timeout")
    if output == "json":
        print_json(result)
    elif failed:
        click.echo(f"{result['type']} {result['id'] or ''} {result['status']}: {result['error']}", err=True)
    elif result["status"] == "sent":
        click.echo(f"{result['type']} sent to {', '.join(result['transports'])} as {result['id']}")
    elif result["worker"] is None:
        click.echo(f"{result['type']} handled here: it is routed to no transport")
    else:
        click.echo(f"{result['type']} {result['id']} handled by {result['worker']} in {result['milliseconds']} ms")
    return 1 if failed else 0
