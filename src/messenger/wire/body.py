"""Message objects as JSON and back: dataclasses, attrs classes, msgspec Structs, pydantic models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from messenger.errors import MessageDecodingFailed, MessageEncodingFailed
from messenger.messages import dotted_name, is_message_class


@dataclass(frozen=True, slots=True)
class BodyCodec:
    """How one message class is written and read; prepared once per class."""

    encode: Callable[[Any], str]
    decode: Callable[[str], Any]


class BodyCodecs:
    """The codecs of the classes met so far."""

    def __init__(self) -> None:
        self._codecs: dict[type, BodyCodec] = {}

    def encode(self, message: object) -> str:
        """The message as a JSON object. Raises MessageEncodingFailed."""
        return self._codec(type(message)).encode(message)

    def decode(self, cls: type, body: str) -> object:
        """An instance of `cls`; unknown keys are ignored, as PHP does. Raises MessageDecodingFailed."""
        try:
            codec = self._codec(cls)
        except MessageEncodingFailed as error:
            raise MessageDecodingFailed(str(error)) from error
        return codec.decode(body)

    def _codec(self, cls: type) -> BodyCodec:
        codec = self._codecs.get(cls)
        if codec is None:
            pydantic = hasattr(cls, "model_validate_json")
            codec = self._codecs[cls] = _pydantic_codec(cls) if pydantic else _msgspec_codec(cls)
        return codec


def _msgspec_codec(cls: type) -> BodyCodec:
    if not is_message_class(cls):
        raise MessageEncodingFailed(
            f"{dotted_name(cls)} cannot be sent: a message is a dataclass, an attrs class, a msgspec Struct "
            "or a pydantic model"
        )
    encoder = msgspec.json.Encoder()
    try:
        decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(cls)
    except (TypeError, NameError) as error:
        raise MessageEncodingFailed(f"{dotted_name(cls)} has a field whose type JSON cannot carry: {error}") from error

    def encode(message: Any) -> str:
        try:
            return encoder.encode(message).decode()
        except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
            raise MessageEncodingFailed(f"{dotted_name(cls)} cannot be written as JSON: {error}") from error

    def decode(body: str) -> Any:
        try:
            return decoder.decode(body)
        except Exception as error:  # a class's own __post_init__ raises what it likes
            raise MessageDecodingFailed(f"the body does not fit {dotted_name(cls)}: {error}") from error

    return BodyCodec(encode, decode)


def _pydantic_codec(cls: Any) -> BodyCodec:
    def encode(message: Any) -> str:
        try:
            return str(message.model_dump_json())
        except Exception as error:
            raise MessageEncodingFailed(f"{dotted_name(cls)} cannot be written as JSON: {error}") from error

    def decode(body: str) -> Any:
        try:
            return cls.model_validate_json(body)
        except Exception as error:  # a class's own validators raise what they like
            reason = " ".join(str(error).split())
            raise MessageDecodingFailed(f"the body does not fit {dotted_name(cls)}: {reason}") from error

    return BodyCodec(encode, decode)
