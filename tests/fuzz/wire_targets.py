"""Fuzz targets of the wire format: any bytes are a message or are kept, and nothing of them is lost."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import pydantic

from messenger.envelope import AnyEnvelope
from messenger.errors import MessageDecodingFailed, UnrecoverableError
from messenger.messages import MessageRegistry, message
from messenger.outbox import Outboxes, Relay
from messenger.stamps import ReceivedStamp
from messenger.transports.sql.row import read_row, write_row
from messenger.wire import php_string
from messenger.wire.encoded import Encoded, UndecodableMessage
from messenger.wire.serializer import Serializer, decode_value, encode_value, undecodable_value
from messenger.wire.signing import Signing

KEY = b"the signing key of the fuzzers"
LONGEST_REASON = 2000  # characters


@dataclass(frozen=True)
class Item:
    """Inside of Order."""

    price: Decimal
    count: int = 1


@message(name="App\\Message\\Order", aliases=["App\\Message\\OldOrder"])
@dataclass(frozen=True)
class Order:
    """One field of each kind."""

    number: int
    text: str | None = None
    when: datetime | None = None
    items: list[Item] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.text == "bad":
            raise ValueError("two\nlines")


class Note(pydantic.BaseModel):
    """By the other codec."""

    text: str
    tags: list[int] = []


@message(name="App\\Message\\Pay", sign=True)
@dataclass(frozen=True)
class Pay:
    """Taken only signed."""

    amount: int = 0


SERIALIZER = Serializer(MessageRegistry([Order, Note, Pay, Relay]), Signing((), (KEY,)))


def check_value(data: bytes) -> None:
    """A stored value, as Redis gives it."""
    try:
        envelope = SERIALIZER.decode(decode_value(data))
    except MessageDecodingFailed as error:
        _check_reason(str(error))
        envelope = undecodable_value(data, str(error))
    _check_envelope(envelope)


def check_headers(data: bytes) -> None:
    """A body, then names and values of headers, separated by NUL."""
    body, *rest = data.decode("utf-8", "replace").split("\0")
    headers = dict(zip(rest[::2], rest[1::2], strict=False))
    envelope = SERIALIZER.decode(Encoded(body, headers))
    _check_envelope(envelope)
    if isinstance(envelope.message, Pay):
        expected = hmac.new(KEY, body.encode(), hashlib.sha256).hexdigest()
        assert headers["Body-Sign"] == expected, "a signed message was read without its signature"
    written = SERIALIZER.encode(envelope)
    assert written.body == body or "X-Messenger-Raw" in headers, "the body changed"


def check_row(data: bytes) -> None:
    """The columns body and headers of a row, separated by NUL."""
    body, _, headers = data.partition(b"\0")
    envelope = read_row(SERIALIZER, body, headers)
    _check_envelope(envelope)
    written = SERIALIZER.encode(envelope)
    assert SERIALIZER.encode(read_row(SERIALIZER, *write_row(written))) == written


def check_php_string(data: bytes) -> None:
    """The wrapper of phpredis."""
    assert php_string.unwrap(php_string.wrap(data)) == data
    try:
        inside = php_string.unwrap(data)
    except MessageDecodingFailed as error:
        _check_reason(str(error))
        return
    assert inside == data or php_string.unwrap(php_string.wrap(inside)) == inside


class _Kept:
    """A transport that keeps what was sent last."""

    def send(self, envelope: AnyEnvelope) -> AnyEnvelope:
        self.last = envelope
        return envelope


def check_relay(data: bytes) -> None:
    """A body, then names and values of headers, separated by NUL: what goes through an outbox arrives as it was sent.

    The first part is also what somebody else has put into the outbox.
    """
    kept = {"async": _Kept(), "outbox": _Kept()}
    outboxes = Outboxes({"async": "outbox"}, {}, lambda name: kept[name], SERIALIZER)
    body, *rest = data.decode("utf-8", "replace").split("\0")
    envelope = SERIALIZER.decode(Encoded(body, dict(zip(rest[::2], rest[1::2], strict=False))))
    outboxes.sender("async").send(envelope)
    _pass_on(outboxes, SERIALIZER.encode(kept["outbox"].last))
    assert SERIALIZER.encode(kept["async"].last) == SERIALIZER.encode(envelope), "it changes on its way"
    try:
        _pass_on(outboxes, Encoded(body, {"type": "messenger.Relay", "Content-Type": "application/json"}))
    except UnrecoverableError as error:
        _check_reason(str(error))
    except KeyError as error:
        raise AssertionError(f"it was sent to {error}") from None


def _pass_on(outboxes: Outboxes, stored: Encoded) -> None:
    received = SERIALIZER.decode(decode_value(encode_value(stored))).with_stamps(ReceivedStamp("outbox"))
    if isinstance(received.message, Relay):
        outboxes.handle(received, lambda handled: handled)


def _check_envelope(envelope: AnyEnvelope) -> None:
    if isinstance(envelope.message, UndecodableMessage):
        _check_reason(envelope.message.reason)
    written = SERIALIZER.encode(envelope)
    stored = encode_value(written)
    assert decode_value(stored) == written, "what is stored is not what is read"
    again = SERIALIZER.encode(SERIALIZER.decode(written))
    assert again == written, "it changes each time it is sent again"


def _check_reason(reason: str) -> None:
    assert reason, "no reason"
    assert "\n" not in reason, f"more than one line: {reason!r}"
    assert len(reason) < LONGEST_REASON, f"a reason of {len(reason)} characters"
    assert KEY.decode() not in reason, "the signing key is in the reason"
