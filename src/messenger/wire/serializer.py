"""Envelope <-> body and headers, in the way of Symfony's JSON serializer, and <-> one stored value of both."""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec

from messenger.envelope import AnyEnvelope, Envelope
from messenger.errors import MessageDecodingFailed
from messenger.messages import MessageRegistry, wire_name
from messenger.stamps import DelayStamp, ForeignHeadersStamp, RedeliveryStamp, SerializedMessageStamp
from messenger.wire import php_string
from messenger.wire.body import decode_body, encode_body
from messenger.wire.encoded import Encoded, UndecodableMessage
from messenger.wire.php_string import IGBINARY, explain_missing_type, explain_wrapping
from messenger.wire.signing import Signing
from messenger.wire.stamps import add_extension_headers, add_stamps, decode_stamps, take_extension_headers

RAW_HEADER = "X-Messenger-Raw"
_ONLY_TEXTS = frozenset((str,)).issuperset
_UNREAD = "it was handed out too often without being settled; perhaps reading it ends the process"


class Serializer:
    """Writes and reads envelopes."""

    def __init__(self, registry: MessageRegistry, signing: Signing | None = None) -> None:
        """Create a serializer.

        Args:
            registry: The only classes that are ever created from received messages.
            signing: The classes that are signed; without it none can be.
        """
        self._registry = registry
        self._signing = signing or Signing()
        self._is_signed: Callable[[type], bool] = cache(self._signing.requires)

    def encode(self, envelope: AnyEnvelope) -> Encoded:
        """Return body and headers of an envelope.

        Raises:
            MessageEncodingFailed: The message cannot be written.
        """
        message = envelope.message
        newest = dict(zip(map(type, envelope.stamps), envelope.stamps, strict=True))
        if isinstance(message, UndecodableMessage):
            body, headers = message.body, dict(message.headers)
        else:
            received = newest.get(SerializedMessageStamp)
            body = received.body if isinstance(received, SerializedMessageStamp) else encode_body(message)
            cls = type(message)
            headers = {"type": wire_name(cls), "Content-Type": "application/json"}
            if self._is_signed(cls):
                headers.update(self._signing.sign(cls, headers["type"], body))
        add_stamps(headers, envelope.stamps)
        foreign = newest.get(ForeignHeadersStamp)
        if isinstance(foreign, ForeignHeadersStamp):
            for name, value in foreign.headers.items():
                headers.setdefault(name, value)
        add_extension_headers(headers, newest)
        return Encoded(body, headers)

    def decode_stored(self, value: bytes, *, unread: bool = False) -> AnyEnvelope:
        """Read an envelope from its stored bytes. See `decode`."""
        try:
            encoded = decode_value(value)
        except MessageDecodingFailed as error:
            return undecodable_value(value, str(error))
        return self.decode(encoded, unread=unread)

    def decode(self, encoded: Encoded, *, unread: bool = False) -> AnyEnvelope:
        """Return the envelope; with an UndecodableMessage when it cannot be read. Never raises.

        Args:
            encoded: Body and headers.
            unread: Leave the message undecoded, without running code of its class.
        """
        if encoded.headers.get(RAW_HEADER) == "base64":
            return self._decode_raw(encoded, unread)
        stamps, rest, problem = decode_stamps(encoded.headers)
        own, wrong = take_extension_headers(rest)
        stamps += own
        try:
            if problem or wrong or unread:
                raise MessageDecodingFailed(problem or wrong or _UNREAD)
            message = self._decode_message(encoded.body, rest)
        except MessageDecodingFailed as error:
            return Envelope(UndecodableMessage(encoded.body, rest, str(error)), stamps)
        rest.pop("type", None)
        rest.pop("Content-Type", None)
        if self._is_signed(type(message)):
            self._signing.strip(type(message), rest)
        stamps.append(SerializedMessageStamp(encoded.body))
        if rest:
            stamps.append(ForeignHeadersStamp(rest))
        return Envelope(message, stamps)

    def _decode_message(self, body: str, headers: dict[str, str]) -> object:
        name = headers.get("type")
        if not name:
            raise MessageDecodingFailed(explain_missing_type(body))
        cls = self._registry.by_name.get(name)
        if cls is None:
            known = ", ".join(self._registry.names()) or "none"
            raise MessageDecodingFailed(f"no message class here has the wire name {name!r}; known: {known}")
        if self._is_signed(cls):
            self._signing.verify(cls, name, body, headers)
        content_type = headers.get("Content-Type", "application/json")
        if content_type != "application/json":
            raise MessageDecodingFailed(f"the body is {content_type}; only application/json is understood")
        return decode_body(cls, body)

    def _decode_raw(self, encoded: Encoded, unread: bool) -> AnyEnvelope:
        """Bytes that were no envelope when they first came: perhaps this release can read them."""
        stamps, rest, _ = decode_stamps(encoded.headers)
        try:
            again = self.decode(decode_value(base64.b64decode(encoded.body, validate=True)), unread=unread)
        except (MessageDecodingFailed, ValueError) as error:
            return Envelope(UndecodableMessage(encoded.body, rest, str(error)), stamps)
        return again.with_stamps(*stamps)


# --- body and headers as one value, as Redis and failed rows keep it -----------------------------------------------


def encode_value(encoded: Encoded, **extra: str) -> bytes:
    """The envelope JSON ``{"body": …, "headers": …}`` with `extra` keys, as Redis and failed rows keep it."""
    return msgspec.json.encode({"body": encoded.body, "headers": encoded.headers or [], **extra})


def decode_value(value: bytes) -> Encoded:
    """Return body and headers of a stored value, wrapped by phpredis or bare.

    Raises:
        MessageDecodingFailed: It is not such a value.
    """
    if value.startswith(IGBINARY):
        raise MessageDecodingFailed(explain_wrapping(2, "igbinary"))
    try:
        document: Any = msgspec.json.decode(value if value.startswith(b"{") else php_string.unwrap(value))
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MessageDecodingFailed(f"the value is not JSON: {error}") from error
    if isinstance(document, str) and document.startswith("{"):
        raise MessageDecodingFailed(explain_wrapping(4, "JSON"))
    if not isinstance(document, dict) or not isinstance(document.get("body"), str):
        raise MessageDecodingFailed("the value is JSON, but not an object with a 'body' text and 'headers'")
    headers = document.get("headers") or {}
    if not isinstance(headers, dict) or not _ONLY_TEXTS(map(type, headers.values())):
        raise MessageDecodingFailed("the 'headers' are not an object of texts")
    return Encoded(document["body"], headers)


def undecodable_value(value: bytes, reason: str) -> AnyEnvelope:
    """An envelope around bytes that are no stored envelope, so that they can be kept and tried again."""
    body = base64.b64encode(value).decode()
    return Envelope(UndecodableMessage(body, {RAW_HEADER: "base64"}, reason))


def raw_value(envelope: AnyEnvelope) -> bytes | None:
    """The bytes that `undecodable_value` was given, for who sends them back; None when there is more to say."""
    message = envelope.message
    if not isinstance(message, UndecodableMessage) or message.headers != {RAW_HEADER: "base64"}:
        return None
    if envelope.last(RedeliveryStamp) is not None or envelope.last(DelayStamp) is not None:
        return None
    try:
        return base64.b64decode(message.body, validate=True)
    except ValueError:
        return None
