"""Message objects as JSON and back: dataclasses, attrs classes, msgspec Structs, pydantic models."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import msgspec

from messenger.errors import MessageDecodingFailed, MessageEncodingFailed, as_failure
from messenger.messages import dotted_name, is_message_class
from messenger.printable import text_of
from messenger.wire.arrival import what_cannot_be_written, what_is_lost
from messenger.wire.exact_types import exact_types_check


class BodyCodec(NamedTuple):
    """Encoder and decoder of one message class. Encoders and `decode` may raise any error of the class's own code.

    Attributes:
        encoders: The second one is for messages that do not arrive unchanged with the first.
        decode: Creates a message from its body.
        is_exact: See `exact_types_check`.
    """

    encoders: tuple[Callable[[Any], str], ...]
    decode: Callable[[str], Any]
    is_exact: Callable[[object], bool]


def encode_body(message: object) -> str:
    """Write a message as a JSON object from which an equal message is read.

    Raises:
        MessageEncodingFailed: The message cannot be written, or would be read as another; the error names field and
            value.
    """
    cls: type = type(message)
    codec = _codec(cls)
    problem = ""
    for encode in codec.encoders:
        try:
            body = encode(message)
        except Exception as error:
            where = what_cannot_be_written(message, msgspec.json.encode) if len(codec.encoders) == 1 else ""
            raise MessageEncodingFailed(f"{dotted_name(cls)} cannot be written as JSON: {where}{error}") from error
        if codec.is_exact(message):
            return body
        lost = what_is_lost(message, body, codec.decode)
        if not lost:
            return body
        problem = problem or lost
    raise MessageEncodingFailed(f"{dotted_name(cls)} would not arrive as it is: {problem}")


def decode_body(cls: type, body: str) -> object:
    """Create an instance of a message class. Unknown keys are ignored, as PHP does.

    Raises:
        MessageDecodingFailed: The body does not fit the class.
    """
    try:
        return _codec(cls).decode(body)
    except MessageEncodingFailed as error:
        raise MessageDecodingFailed(str(error)) from error
    except BaseException as error:
        reason = " ".join(text_of(as_failure(error, "its class")).split())
        raise MessageDecodingFailed(f"the body does not fit {dotted_name(cls)}: {reason}") from error


@cache
def _codec(cls: Any) -> BodyCodec:
    if hasattr(cls, "model_validate_json"):
        by_alias, by_name = (_pydantic_encoder(cls, by_alias) for by_alias in (True, False))
        return BodyCodec((by_alias, by_name), cls.model_validate_json, exact_types_check(cls))
    if not is_message_class(cls):
        raise MessageEncodingFailed(
            f"{dotted_name(cls)} cannot be sent: a message is a dataclass, an attrs class, a msgspec Struct "
            "or a pydantic model"
        )
    encoder = msgspec.json.Encoder()
    try:
        decoder = msgspec.json.Decoder(cls)
    except (TypeError, NameError) as error:
        raise MessageEncodingFailed(f"{dotted_name(cls)} has a field whose type JSON cannot carry: {error}") from error
    return BodyCodec((lambda message: encoder.encode(message).decode(),), decoder.decode, exact_types_check(cls))


def _pydantic_encoder(cls: Any, by_alias: bool) -> Callable[[Any], str]:
    """A model is read by its aliases, unless it says otherwise. warnings: what they are about is found and refused."""
    return lambda message: cls.model_dump_json(message, by_alias=by_alias, round_trip=True, warnings=False)
