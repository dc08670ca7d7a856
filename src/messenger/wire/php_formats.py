"""What PHP can write that is not read here, and what to change on the PHP side."""

from __future__ import annotations

import base64
import re

IGBINARY = b"\x00\x00\x00"
_PHP_NATIVE = re.compile(r"\s*O:\d+:")


def explain_missing_type(body: str) -> str:
    """Why a message has no type."""
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


def explain_wrapping(option: int, name: str) -> str:
    """Why a value in one of phpredis' formats is not read."""
    return (
        f"the value is wrapped by phpredis with serializer={option} ({name}), which is not read here; on the PHP side "
        "set serializer=1 or serializer=0 in the transport's DSN or options"
    )
