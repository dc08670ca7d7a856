"""The wrapper phpredis puts around a value with its default serializer: ``s:<bytes>:"<value>";`` (spec 9.1)."""

from __future__ import annotations

import re

from messenger.errors import MessageDecodingFailed

_HEAD = re.compile(rb's:(\d{1,12}):"')


def wrap(value: bytes) -> bytes:
    """`value` as a PHP-serialized string. The length counts bytes; nothing inside is escaped."""
    return b's:%d:"%s";' % (len(value), value)


def unwrap(value: bytes) -> bytes:
    """What is inside the wrapper, or `value` itself when it has none. Raises MessageDecodingFailed for a torn one."""
    head = _HEAD.match(value)
    if head is None:
        return value
    inside = value[head.end() : head.end() + int(head.group(1))]
    if len(inside) != int(head.group(1)) or value[head.end() + len(inside) :] != b'";':
        raise MessageDecodingFailed("the value is a PHP-serialized string whose length does not fit its content")
    return inside
