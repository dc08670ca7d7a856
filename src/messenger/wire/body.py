"""Message objects as JSON and back: dataclasses, attrs classes, msgspec Structs, pydantic models."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import msgspec

from messenger.errors import MessageDecodingFailed, MessageEncodingFailed
from messenger.messages import dotted_name, is_message_class


class BodyCodec(NamedTuple):
    """How one message class is written and read. Both raise what its own code likes."""

    encode: Callable[[Any], str]
    decode: Callable[[str], Any]


def encode_body(message: object) -> str:
    """The message as a JSON object. Raises MessageEncodingFailed."""
    cls: type = type(message)
    codec = _codec(cls)
    try:
        return codec.encode(message)
    except Exception as error:
        raise MessageEncodingFailed(f"{dotted_name(cls)} cannot be written as JSON: {error}") from error


def decode_body(cls: type, body: str) -> object:
    """An instance of `cls`; unknown keys are ignored, as PHP does. Raises MessageDecodingFailed."""
    try:
        return _codec(cls).decode(body)
    except MessageEncodingFailed as error:
        raise MessageDecodingFailed(str(error)) from error
    except Exception as error:
        reason = " ".join(str(error).split())
        raise MessageDecodingFailed(f"the body does not fit {dotted_name(cls)}: {reason}") from error


@cache
def _codec(cls: Any) -> BodyCodec:
    if hasattr(cls, "model_validate_json"):
        return BodyCodec(cls.model_dump_json, cls.model_validate_json)
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
    return BodyCodec(lambda message: encoder.encode(message).decode(), decoder.decode)
