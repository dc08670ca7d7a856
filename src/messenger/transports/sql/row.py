"""Encoded message <-> the two text columns body and headers. Nothing that was in a row is lost on the way."""

from __future__ import annotations

import base64

import msgspec

from messenger.envelope import AnyEnvelope
from messenger.wire.encoded import Encoded
from messenger.wire.serializer import RAW_HEADER, Serializer, encode_value, undecodable_value

_HEADERS = msgspec.json.Decoder(dict[str, str] | list[None])  # PHP writes an empty array as []


def write_row(encoded: Encoded) -> tuple[str, str]:
    """Body and headers as the columns take them.

    PostgreSQL has no NUL in a text; such a message is kept as base64 of the whole, which the serializer reads again.
    """
    if "\0" in encoded.body:
        encoded = Encoded(base64.b64encode(encode_value(encoded)).decode(), {RAW_HEADER: "base64"})
    return encoded.body, msgspec.json.encode(encoded.headers).decode()


def read_row(serializer: Serializer, body: str | bytes, headers: str | bytes, *, unread: bool = False) -> AnyEnvelope:
    """Return the envelope of a row; an UndecodableMessage, which has all of it, when it cannot be read.

    Args:
        serializer: Reads messages.
        body: The column of this name.
        headers: The column of this name.
        unread: See Serializer.decode.
    """
    body_bytes, header_bytes = _to_bytes(body), _to_bytes(headers)
    try:
        body_text = body_bytes.decode()
    except UnicodeDecodeError:
        return _keep("the body is not UTF-8 text", base64.b64encode(body_bytes), header_bytes, "body_base64")
    try:
        header_map = dict(_HEADERS.decode(header_bytes or b"{}") or {})
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        return _keep(f"the headers are not a JSON object of texts: {error}", body_bytes, header_bytes)
    return serializer.decode(Encoded(body_text, header_map), unread=unread)


def _keep(reason: str, body: bytes, headers: bytes, body_key: str = "body") -> AnyEnvelope:
    kept = {body_key: body.decode(), "headers": headers.decode("utf-8", "backslashreplace")}
    return undecodable_value(msgspec.json.encode(kept), reason)


def _to_bytes(value: str | bytes) -> bytes:
    """SQLite columns may hold anything; what was no UTF-8 comes with its bytes escaped."""
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape")
