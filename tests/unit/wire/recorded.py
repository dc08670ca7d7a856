"""The recorded values, and a serializer that knows their message."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from messenger import message
from messenger.messages import MessageRegistry
from messenger.wire.encoded import Encoded
from messenger.wire.serializer import Serializer, decode_value

TYPE = "App\\Message\\SmsNotification"
FIXTURES = Path(__file__).with_name("fixtures")
VERSIONS = pytest.mark.parametrize("version", ["5.4", "7.2"])


@message(name=TYPE)
@dataclass(frozen=True)
class SmsNotification:
    """The message of the recordings."""

    content: str
    to: str | None = None


def serializer() -> Serializer:
    """A serializer that knows SmsNotification."""
    return Serializer(MessageRegistry([SmsNotification]))


def recorded(version: str, name: str) -> bytes:
    """The bytes of one recording."""
    return (FIXTURES / version / f"{name}.bin").read_bytes()


def recorded_envelope(version: str, name: str) -> Encoded:
    """Body and headers of one recording."""
    return decode_value(recorded(version, name))
