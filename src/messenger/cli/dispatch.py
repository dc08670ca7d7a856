"""messenger dispatch: send one message by hand, or many from a file."""

from __future__ import annotations

import secrets
from typing import Any

import click

from messenger.application import Application
from messenger.cli import complete
from messenger.cli.bulk import Lines, Repeated, dispatch_all, print_outcome, what_happened
from messenger.cli.common import format_option, load, need_control, print_json, say_problems
from messenger.cli.terminal import say
from messenger.control.plane import Reply
from messenger.envelope import AnyEnvelope, Envelope
from messenger.errors import ConfigError, HandlerFailed
from messenger.messages import MessageRegistry, dotted_name, wire_name
from messenger.stamps import DelayStamp, SentStamp, Stamp, TransportNamesStamp
from messenger.wire.body import decode_body
from messenger.wire.extension_headers import ReplyStamp


@click.command(short_help="Send a message by hand, or many.")
@click.argument("message_type", metavar="TYPE")
@click.argument("body", metavar="[JSON]", required=False)
@click.option("--delay", type=click.IntRange(min=0), help="Milliseconds to wait before it may be handled.")
@click.option(
    "--transport",
    "transports",
    multiple=True,
    metavar="TRANSPORT",
    shell_complete=complete.transports,
    help="Send it here instead of where the routing says.",
)
@click.option(
    "--wait", type=click.FloatRange(min=0, min_open=True), help="Wait this many seconds for a worker to handle it."
)
@click.option("--count", type=click.IntRange(min=1), help="Send the message this many times.")
@click.option(
    "--from",
    "source",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="Send a message for each line of FILE, or of stdin (`-`); a line is what JSON would be.",
)
@format_option
@click.pass_context
def dispatch(
    context: click.Context,
    message_type: str,
    body: str | None,
    delay: int | None,
    transports: tuple[str, ...],
    wait: float | None,
    count: int | None,
    source: str | None,
    output: str,
) -> int:
    """Dispatch one message: a smoke test after a deploy, or an operator's message.

    TYPE is the wire name, the dotted class name or the class name alone; JSON holds the message's fields.

    With --from, each line of the file holds the fields of one message of that TYPE, as one line of JSON; empty lines
    are passed over. All lines of a file are checked first, and nothing is sent when one is wrong. A pipe is sent as it
    comes. The first message that cannot be sent ends it: the error names its line and says how many were sent before.

    Exit codes: 0 sent, or handled when --wait is given, or a duplicate of a message on its way; 1 not handled in time,
    failed, or neither sent nor handled because a middleware ended it; 64 wrong usage; 78 the configuration or the
    application cannot be loaded, or has no such message.

    \b
        messenger dispatch SmsNotification '{"content": "hello"}' --wait 10
        messenger dispatch SmsNotification --from sms.jsonl
        messenger dispatch SmsNotification '{"content": "load test"}' --count 1000 --transport slow
    """
    if (body is None) == (source is None):
        raise click.UsageError("give the message as JSON, or --from FILE")
    if source is not None and count is not None:
        raise click.UsageError("--count sends the message of the command line; the lines of --from are sent once each")
    if wait and (source is not None or count is not None):
        raise click.UsageError("--wait waits for one message; leave --count and --from away")
    application = load(context)
    cls = find_class(application.messages, message_type)
    for name in transports or application.router.for_class(cls):
        application.transport(name)  # one that cannot be made is found before anything is sent
    stamps: list[Stamp] = [DelayStamp(delay)] if delay else []
    if transports:
        stamps.append(TransportNamesStamp(transports))
    if source is not None or count is not None:
        bodies = Lines(source) if source is not None else Repeated(body or "", count or 1)
        outcome = dispatch_all(application, cls, bodies, stamps)
        application.close()
        return print_outcome(outcome, output)
    return _print(_dispatch_one(application, decode_body(cls, body or ""), stamps, wait), output)


def find_class(messages: MessageRegistry, name: str) -> type:
    """The class an operator means: wire name, dotted name, or the bare class name where it is unique."""
    known = messages.get(name)
    if known is not None:
        return known
    matches = [cls for cls in messages.classes if name in (dotted_name(cls), cls.__name__)]
    if len(matches) == 1:
        return matches[0]
    what = "is more than one message" if matches else "is no message of this application"
    raise ConfigError(f"{name!r} {what}; known: {', '.join(messages.names()) or 'none'}")


def _dispatch_one(application: Application, message: object, stamps: list[Stamp], wait: float | None) -> dict[str, Any]:
    token = secrets.token_hex(16)
    if wait:
        stamps = [ReplyStamp(token), *stamps]
    try:
        envelope = application.dispatch(message, stamps)
    except HandlerFailed as error:
        return _result(Envelope(message), "failed", error=str(error))
    status, why = what_happened(envelope)
    result = _result(envelope, status, why)
    if wait and result["status"] == "sent":
        control = need_control(application)
        reply = control.await_reply(token, wait)
        say_problems(control)
        result |= _outcome(reply, wait)
    application.close()
    return result


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
    failed = result["status"] in ("failed", "timeout", "ended")
    if output == "json":
        print_json(result)
    elif failed:
        say(f"{result['type']} {result['id'] or ''} {result['status']}: {result['error']}", err=True)
    elif result["status"] == "sent":
        say(f"{result['type']} sent to {', '.join(result['transports'])} as {result['id']}")
    elif result["status"] == "duplicate":
        say(f"{result['type']} {result['error']}")
    elif result["worker"] is None:
        say(f"{result['type']} handled here: it is routed to no transport")
    else:
        say(f"{result['type']} {result['id']} handled by {result['worker']} in {result['milliseconds']} ms")
    return 1 if failed else 0
