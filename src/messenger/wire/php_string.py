"""The wrapper phpredis puts around a value with its default serializer: ``s:<bytes>:"<value>";``."""

from __future__ import annotations

import base64
import re

from messenger.errors import MessageDecodingFailed

_HEAD = re.compile(rb's:(\d{1,12}):"')


def wrap(value: bytes) -> bytes:
    """`value` as a PHP-serialized string. The length counts bytes; nothing inside is escaped."""
    return b's:%d:"%s";' % (len(value), value)


def unwrap(value: bytes) -> bytes:
    """Return the text inside the wrapper, or `value` itself when it has none.

    Raises:
        MessageDecodingFailed: The wrapper is torn.
    """
    head = _HEAD.match(value)
    if head is None:
        return value
    inside = value[head.end() : head.end() + int(head.group(1))]
    if len(inside) != int(head.group(1)) or value[head.end() + len(inside) :] != b'";':
        raise MessageDecodingFailed("the value is a PHP-serialized string whose length does not fit its content")
    return inside


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
