"""Envelope <-> body and headers, in the way of Symfony's JSON serializer (spec 9.2)."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import Any

import msgspec

from messenger.envelope import AnyEnvelope, Envelope
from messenger.errors import MessageDecodingFailed, printable_line
from messenger.messages import MessageRegistry, wire_name
from messenger.stamps import ForeignHeadersStamp, SerializedMessageStamp
from messenger.wire import php_string, signing
from messenger.wire.body import BodyCodecs
from messenger.wire.own_headers import encode_own_headers, take_own_headers
from messenger.wire.signing import Signing
from messenger.wire.stamps import decode_stamps, encode_stamps

RAW_HEADER = "X-Messenger-Raw"
_PHP_NATIVE = re.compile(r"\s*O:\d+:")
_LONGEST_REASON = 500  # characters
_IGBINARY = b"\x00\x00\x00"


@dataclass(frozen=True, slots=True)
class Encoded:
    """An envelope as text: what every transport stores."""

    body: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class UndecodableMessage:
    """Stands in an envelope for what could not be read. Nothing of it is lost: it is sent on as it came.

    body, headers: as received (without the stamps, which the envelope has).
    reason: why it could not be read, a sentence for the operator: one printable line, at most 500 characters, whatever
    was received.
    """

    body: str
    headers: dict[str, str] = field(default_factory=dict)
    reason: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", printable_line(self.reason, limit=_LONGEST_REASON))


class Serializer:
    """Writes and reads envelopes.

    registry: the only classes that are ever created from what was received.
    signing: which of them are signed; without it none can be.
    """

    def __init__(self, registry: MessageRegistry, signing: Signing | None = None) -> None:
        self._registry = registry
        self._signing = signing or Signing()
        self._bodies = BodyCodecs()

    def encode(self, envelope: AnyEnvelope) -> Encoded:
        """Body and headers of an envelope. Raises MessageEncodingFailed."""
        message = envelope.message
        if isinstance(message, UndecodableMessage):
            body, headers = message.body, dict(message.headers)
        else:
            received = envelope.last(SerializedMessageStamp)
            body = received.body if received is not None else self._bodies.encode(message)
            name = wire_name(type(message))
            headers = {"type": name, "Content-Type": "application/json"}
            headers.update(self._signing.sign(type(message), name, body))
        headers.update(encode_stamps(envelope.stamps))
        foreign = envelope.last(ForeignHeadersStamp)
        for name, value in (foreign.headers if foreign is not None else {}).items():
            headers.setdefault(name, value)
        headers.update(encode_own_headers(envelope))
        return Encoded(body, headers)

    def decode(self, encoded: Encoded) -> AnyEnvelope:
        """The envelope. What cannot be read becomes an UndecodableMessage: this never raises."""
        if encoded.headers.get(RAW_HEADER) == "base64":
            return self._decode_raw(encoded)
        stamps, rest, problem = decode_stamps(encoded.headers)
        own, wrong = take_own_headers(rest)
        stamps += own
        try:
            if problem or wrong:
                raise MessageDecodingFailed(problem or wrong)
            message = self._decode_message(encoded.body, rest)
        except MessageDecodingFailed as error:
            return Envelope(UndecodableMessage(encoded.body, rest, str(error)), stamps)
        rest.pop("type", None)
        rest.pop("Content-Type", None)
        if self._signing.requires(type(message)):
            for name in signing.HEADERS:
                rest.pop(name, None)  # made anew, with the first key, when the message is sent again
        stamps.append(SerializedMessageStamp(encoded.body))
        if rest:
            stamps.append(ForeignHeadersStamp(rest))
        return Envelope(message, stamps)

    def read(self, cls: type, body: str) -> object:
        """An instance of `cls` from JSON that an operator wrote: nothing is verified. Raises MessageDecodingFailed."""
        return self._bodies.decode(cls, body)

    def _decode_message(self, body: str, headers: dict[str, str]) -> object:
        name = headers.get("type")
        if not name:
            raise MessageDecodingFailed(_explain_missing_type(body))
        cls = self._registry.get(name)
        if cls is None:
            known = ", ".join(self._registry.names()) or "none"
            raise MessageDecodingFailed(f"no message class here has the wire name {name!r}; known: {known}")
        self._signing.verify(cls, name, body, headers)
        content_type = headers.get("Content-Type", "application/json")
        if content_type != "application/json":
            raise MessageDecodingFailed(f"the body is {content_type}; only application/json is understood")
        return self._bodies.decode(cls, body)

    def _decode_raw(self, encoded: Encoded) -> AnyEnvelope:
        """Bytes that were no envelope when they first came: perhaps this release can read them."""
        stamps, rest, _ = decode_stamps(encoded.headers)
        try:
            again = self.decode(decode_value(base64.b64decode(encoded.body, validate=True)))
        except (MessageDecodingFailed, ValueError) as error:
            return Envelope(UndecodableMessage(encoded.body, rest, str(error)), stamps)
        return again.with_stamps(*stamps)


def _explain_missing_type(body: str) -> str:
    if _PHP_NATIVE.match(body) or _PHP_NATIVE.match(_from_base64(body)):
        return (
            "the body is PHP's native serialize() format, which is never evaluated here; on the PHP side set "
            "'serializer: messenger.transport.symfony_serializer' for this transport"
        )
    return "the headers have no 'type'"


def _from_base64(body: str) -> str:
    try:
        return base64.b64decode(body[:64], validate=True).decode("latin-1")
    except ValueError:
        return ""


def encode_value(encoded: Encoded, **extra: str) -> bytes:
    """The envelope JSON ``{"body": …, "headers": …}`` with `extra` keys, as Redis and failed rows keep it."""
    return msgspec.json.encode({"body": encoded.body, "headers": encoded.headers or [], **extra})


def decode_value(value: bytes) -> Encoded:
    """Body and headers out of a stored value, wrapped by phpredis or bare. Raises MessageDecodingFailed."""
    if value.startswith(_IGBINARY):
        raise MessageDecodingFailed(_explain_wrapping(2, "igbinary"))
    try:
        document: Any = msgspec.json.decode(php_string.unwrap(value))
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MessageDecodingFailed(f"the value is not JSON: {error}") from error
    if isinstance(document, str) and document.startswith("{"):
        raise MessageDecodingFailed(_explain_wrapping(4, "JSON"))
    if not isinstance(document, dict) or not isinstance(document.get("body"), str):
        raise MessageDecodingFailed("the value is JSON, but not an object with a 'body' text and 'headers'")
    headers = document.get("headers") or {}
    if not isinstance(headers, dict) or not all(isinstance(v, str) for v in headers.values()):
        raise MessageDecodingFailed("the 'headers' are not an object of texts")
    return Encoded(document["body"], headers)


def _explain_wrapping(option: int, name: str) -> str:
    return (
        f"the value is wrapped by phpredis with serializer={option} ({name}), which is not read here; on the PHP side "
        "set serializer=1 or serializer=0 in the transport's DSN or options"
    )


def undecodable_value(value: bytes, reason: str) -> AnyEnvelope:
    """An envelope around bytes that are no stored envelope, so that they can be kept and tried again."""
    body = base64.b64encode(value).decode()
    return Envelope(UndecodableMessage(body, {RAW_HEADER: "base64"}, reason))
