"""messenger dispatch --from and --count: many messages, one after the other, and what is said in the end."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import click

from messenger.application import Application
from messenger.cli.common import print_json
from messenger.cli.terminal import Progress, say
from messenger.deduplication.stamps import DuplicateOfStamp
from messenger.envelope import AnyEnvelope
from messenger.errors import MessageDecodingFailed, MessengerError
from messenger.messages import wire_name
from messenger.printable import LONGEST_LINE, printable_line
from messenger.stamps import HandledStamp, SentStamp, Stamp
from messenger.wire.body import decode_body


class Bodies(Protocol):
    """The bodies to send, as JSON. One body is in memory at a time.

    Attributes:
        is_read_again: True when a second iteration gives the same bodies, so that all can be checked before the first
            is sent.
    """

    is_read_again: bool

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        """Yield where each body stands, for errors, and the body: ``("sms.jsonl line 3", b'{"content": "hello"}')``."""


class Lines:
    """Each line of a file, or of stdin (`-`), is the JSON of one message; empty lines are passed over."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._name = "stdin" if path == "-" else path
        self.is_read_again = path != "-" and Path(path).is_file()  # a pipe has a name, too

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        """See Bodies."""
        with click.open_file(self._path, "rb") as file:
            for number, line in enumerate(file, start=1):
                text = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
                if text.strip():
                    yield f"{self._name} line {number}", text


class Repeated:
    """The same body, `count` times."""

    is_read_again = True

    def __init__(self, body: str, count: int) -> None:
        self._body = body.encode("utf-8", "surrogateescape")
        self._count = count

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        """See Bodies."""
        return ((f"message {number} of {self._count}", self._body) for number in range(1, self._count + 1))


@dataclass
class BulkOutcome:
    """The results of dispatching several messages.

    Attributes:
        type: Wire name of the messages.
        sent: Number of messages that were sent, or handled here.
        duplicates: Number of messages that were not sent because their key is taken (DeduplicateStamp).
        transports: Names of the transports they were sent to.
        at: Where the last body came from; `error` is about it.
        error: What went wrong.
    """

    type: str
    sent: int = 0
    duplicates: int = 0
    transports: list[str] = field(default_factory=list)
    at: str | None = None
    error: str | None = None


def dispatch_all(application: Application, cls: type, bodies: Bodies, stamps: Sequence[Stamp]) -> BulkOutcome:
    """Send messages in order, and stop at the first that cannot be sent.

    Where all bodies can be checked beforehand, one that does not fit the message class means that none is sent.
    """
    outcome = BulkOutcome(wire_name(cls))
    try:
        length = _check(application, cls, bodies, outcome) if bodies.is_read_again else None
        with Progress(length, "Sending") as progress:
            for outcome.at, body in bodies:
                envelope = application.dispatch(_read(cls, body), stamps)
                status, why = what_happened(envelope)
                if status == "ended":
                    raise MessengerError(why)
                if status == "duplicate":
                    outcome.duplicates += 1
                else:
                    outcome.sent += 1
                    outcome.transports = [sent.transport_name for sent in envelope.all(SentStamp)]
                progress.step()
    except KeyboardInterrupt:
        outcome.error = "interrupted; this one may have been sent, too"
    except (MessengerError, OSError) as error:
        outcome.error = str(error)
    return outcome


def what_happened(envelope: AnyEnvelope) -> tuple[str, str | None]:
    """Say what a dispatch did: sent, handled, duplicate or ended, and for the last two why nothing was sent."""
    duplicate = envelope.last(DuplicateOfStamp)
    if envelope.last(SentStamp) is not None:
        return "sent", None
    if duplicate is not None:
        return "duplicate", f"not sent: message {duplicate.message_id} with the same key is on its way"
    if envelope.last(HandledStamp) is not None:
        return "handled", None
    return "ended", "neither sent nor handled: a middleware of its bus ended it, or there is no handler"


def _check(application: Application, cls: type, bodies: Iterable[tuple[str, bytes]], outcome: BulkOutcome) -> int:
    """How many there are. Raises MessageDecodingFailed at the first that is no such message."""
    count = 0
    for outcome.at, body in bodies:
        _read(cls, body)
        count += 1
    return count


def _read(cls: type, body: bytes) -> object:
    try:
        return decode_body(cls, body.decode())
    except UnicodeDecodeError as error:
        raise MessageDecodingFailed(f"it is not UTF-8: {error}") from None


def print_outcome(outcome: BulkOutcome, output: str) -> int:
    """Say what became of them; returns the exit code."""
    if output == "json":
        status = "failed" if outcome.error is not None else "sent"
        print_json(
            {
                "type": outcome.type,
                "status": status,
                "sent": outcome.sent,
                "transports": outcome.transports,
                "at": outcome.at if status == "failed" else None,
                "error": outcome.error,
            }
        )
    elif outcome.error is not None:
        said = f"sent before it: {outcome.sent}" if outcome.sent else "nothing was sent"
        say(f"messenger: {printable_line(f'{outcome.at}: {outcome.error}', LONGEST_LINE // 2)}; {said}", err=True)
    elif outcome.sent and not outcome.transports:
        say(f"{outcome.sent} {outcome.type} handled here: it is routed to no transport")
    else:
        where = f" to {', '.join(outcome.transports)}" * bool(outcome.sent)
        duplicates = f"; {outcome.duplicates} not sent, as duplicates" * bool(outcome.duplicates)
        say(f"{outcome.sent} {outcome.type} sent{where}{duplicates}")
    return 1 if outcome.error is not None else 0
