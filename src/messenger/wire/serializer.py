"""Envelope <-> body and headers, in the way of Symfony's JSON serializer."""

from __future__ import annotations

import base64

from messenger.envelope import AnyEnvelope, Envelope
from messenger.errors import MessageDecodingFailed
from messenger.messages import MessageRegistry, wire_name
from messenger.stamps import ForeignHeadersStamp, SerializedMessageStamp
from messenger.wire.body import decode_body, encode_body
from messenger.wire.encoded import Encoded, UndecodableMessage
from messenger.wire.own_headers import encode_own_headers, take_own_headers
from messenger.wire.php_string import explain_missing_type
from messenger.wire.signing import Signing
from messenger.wire.stamps import add_stamps, decode_stamps
from messenger.wire.stored import RAW_HEADER, decode_value

_UNREAD = "it was handed out too often without being settled; perhaps reading it ends the process"


class Serializer:
    """Writes and reads envelopes.

    registry: the only classes that are ever created from what was received.
    signing: which of them are signed; without it none can be.
    """

    def __init__(self, registry: MessageRegistry, signing: Signing | None = None) -> None:
        self._registry = registry
        self._signing = signing or Signing()

    def encode(self, envelope: AnyEnvelope) -> Encoded:
        """Body and headers of an envelope. Raises MessageEncodingFailed."""
        message = envelope.message
        if isinstance(message, UndecodableMessage):
            body, headers = message.body, dict(message.headers)
        else:
            received = envelope.last(SerializedMessageStamp)
            body = received.body if received is not None else encode_body(message)
            name = wire_name(type(message))
            headers = {"type": name, "Content-Type": "application/json"}
            headers.update(self._signing.sign(type(message), name, body))
        add_stamps(headers, envelope.stamps)
        foreign = envelope.last(ForeignHeadersStamp)
        for name, value in (foreign.headers if foreign is not None else {}).items():
            headers.setdefault(name, value)
        headers.update(encode_own_headers(envelope))
        return Encoded(body, headers)

    def decode(self, encoded: Encoded, *, unread: bool = False) -> AnyEnvelope:
        """The envelope. What cannot be read becomes an UndecodableMessage: this never raises.

        unread: leave the message so, without running any code of its class.
        """
        if encoded.headers.get(RAW_HEADER) == "base64":
            return self._decode_raw(encoded, unread)
        stamps, rest, problem = decode_stamps(encoded.headers)
        own, wrong = take_own_headers(rest)
        stamps += own
        try:
            if problem or wrong or unread:
                raise MessageDecodingFailed(problem or wrong or _UNREAD)
            message = self._decode_message(encoded.body, rest)
        except MessageDecodingFailed as error:
            return Envelope(UndecodableMessage(encoded.body, rest, str(error)), stamps)
        rest.pop("type", None)
        rest.pop("Content-Type", None)
        self._signing.strip(type(message), rest)
        stamps.append(SerializedMessageStamp(encoded.body))
        if rest:
            stamps.append(ForeignHeadersStamp(rest))
        return Envelope(message, stamps)

    def _decode_message(self, body: str, headers: dict[str, str]) -> object:
        name = headers.get("type")
        if not name:
            raise MessageDecodingFailed(explain_missing_type(body))
        cls = self._registry.get(name)
        if cls is None:
            known = ", ".join(self._registry.names()) or "none"
            raise MessageDecodingFailed(f"no message class here has the wire name {name!r}; known: {known}")
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
