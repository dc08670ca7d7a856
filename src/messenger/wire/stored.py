"""Body and headers as one value, as Redis and failed rows keep it."""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from messenger.envelope import AnyEnvelope, Envelope
from messenger.errors import MessageDecodingFailed
from messenger.stamps import DelayStamp, RedeliveryStamp
from messenger.wire import php_string
from messenger.wire.encoded import Encoded, UndecodableMessage
from messenger.wire.php_string import IGBINARY, explain_wrapping

RAW_HEADER = "X-Messenger-Raw"


def encode_value(encoded: Encoded, **extra: str) -> bytes:
    """The envelope JSON ``{"body": …, "headers": …}`` with `extra` keys, as Redis and failed rows keep it."""
    return msgspec.json.encode({"body": encoded.body, "headers": encoded.headers or [], **extra})


def decode_value(value: bytes) -> Encoded:
    """Body and headers out of a stored value, wrapped by phpredis or bare. Raises MessageDecodingFailed."""
    if value.startswith(IGBINARY):
        raise MessageDecodingFailed(explain_wrapping(2, "igbinary"))
    try:
        document: Any = msgspec.json.decode(php_string.unwrap(value))
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MessageDecodingFailed(f"the value is not JSON: {error}") from error
    if isinstance(document, str) and document.startswith("{"):
        raise MessageDecodingFailed(explain_wrapping(4, "JSON"))
    if not isinstance(document, dict) or not isinstance(document.get("body"), str):
        raise MessageDecodingFailed("the value is JSON, but not an object with a 'body' text and 'headers'")
    headers = document.get("headers") or {}
    if not isinstance(headers, dict) or not all(isinstance(v, str) for v in headers.values()):
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
