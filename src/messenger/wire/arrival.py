"""Sees that a message will arrive as it is: its body is read again and compared, value by value.

Where the types of the values say so beforehand, nothing is read (`messenger.wire.exact_types`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from messenger.printable import printable_line
from messenger.wire.exact_types import field_names, other_slots

_LEAVES = frozenset((str, int, bool, type(None), float, bytes, date, Decimal, UUID))  # their == says all
_MISSING = object()
_LONGEST_VALUE = 100  # characters
_NAMED_FIELD = re.compile(r"`\$\.(\w+)|field `(\w+)`")


def what_is_lost(message: object, body: str, decode: Callable[[str], object]) -> str:
    """Read a body and compare it with its message.

    Args:
        message: The message.
        body: Its body.
        decode: Reads the body as a message of the same class.

    Returns:
        The first value that would not arrive as it is, for an error; "" when all do.
    """
    try:
        arrived = decode(body)
    except Exception as error:
        reason = printable_line(error, 300)
        written = _named_field(error, reason)
        name = dict(_renamed(message)).get(written, written)
        value = (_values(message) or {}).get(name, _MISSING)
        return f"{f'{name} is {_shown(value)}: ' if value is not _MISSING else ''}its body could not be read ({reason})"
    try:
        found_at = next(_differences(message, arrived, ""), None)
    except RecursionError:
        return "it is nested too deeply to be compared"
    if found_at is None:
        return ""
    where, sent, received = found_at
    found_as = "is not sent" if received is _MISSING else f"would arrive as {_shown(received)}"
    return f"{where or 'it'} is {_shown(sent)}, and {found_as}"


def _renamed(message: Any) -> Iterator[tuple[Any, str]]:
    """Yield the fields of a Struct or a pydantic model by the names that they have in its body."""
    cls: Any = type(message)
    yield from zip(getattr(cls, "__struct_encode_fields__", ()), getattr(cls, "__struct_fields__", ()), strict=True)
    for name, known in getattr(cls, "model_fields", {}).items():
        for alias in (known.alias, known.validation_alias):
            first = getattr(alias, "choices", (alias,))[0]
            yield getattr(first, "path", (first,))[0], name


def _named_field(error: Exception, reason: str) -> str:
    """Return the field that an error of msgspec or pydantic is about; "" when it names none."""
    details = getattr(error, "errors", None)
    if callable(details):
        return next((str(detail["loc"][0]) for detail in details() if detail["loc"]), "")
    found = _NAMED_FIELD.search(reason)
    return (found[1] or found[2]) if found is not None else ""


def what_cannot_be_written(message: object, encode: Callable[[Any], object]) -> str:
    """Return the first field whose value `encode` refuses, for an error; "" when there is none."""
    for name, value in (_values(message) or {}).items():
        try:
            encode(value)
        except Exception:
            return f"{name} is {_shown(value)}: "
    return ""


def _differences(sent: Any, arrived: Any, where: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield each place where the two differ, and both values there; what has fields is compared field by field."""
    pairs = _pairs(sent, arrived)
    if pairs is None:
        if not _is_same(sent, arrived):
            yield where, sent, arrived
        return
    for step, one, other in pairs:
        yield from _differences(one, other, f"{where}{step}" if where else step.lstrip("."))


def _pairs(sent: Any, arrived: Any) -> list[tuple[str, Any, Any]] | None:
    """Return what stands at the same place in both; None where they are to be compared as a whole."""
    values = _values(sent)
    if values is not None:
        if type(sent) is not type(arrived):
            return None
        others = _values(arrived) or {}
        return [(f".{name}", value, others.get(name, _MISSING)) for name, value in values.items()]
    if isinstance(sent, dict) and isinstance(arrived, dict) and sent.keys() == arrived.keys():
        if _LEAVES.issuperset(map(type, sent.values())) and _is_equal(sent, arrived):
            return []
        return [(f"[{key!r}]", value, arrived[key]) for key, value in sent.items()]
    for kind in (list, tuple):
        if isinstance(sent, kind) and isinstance(arrived, kind) and len(sent) == len(arrived):
            if _LEAVES.issuperset(map(type, sent)) and _is_equal(sent, arrived):
                return []
            return [(f"[{index}]", *pair) for index, pair in enumerate(zip(sent, arrived, strict=True))]
    return None


def _is_same(sent: Any, arrived: Any) -> bool:
    if sent is arrived:
        return True
    if _values(sent) is not None or arrived is _MISSING:
        return False
    if isinstance(sent, datetime) and isinstance(arrived, datetime) and sent.tzinfo and arrived.tzinfo:
        with suppress(OverflowError):  # in the first or the last hours of all
            sent, arrived = sent.astimezone(UTC), arrived.astimezone(UTC)  # in a repeated hour == says no
    return _is_equal(sent, arrived) or (_is_unlike_itself(sent) and _is_unlike_itself(arrived))


def _is_equal(sent: Any, arrived: Any) -> bool:
    try:
        return bool(sent == arrived)
    except Exception:  # of its __eq__; a signaling NaN
        return False


def _is_unlike_itself(value: Any) -> bool:
    """A NaN, which is the same as another one."""
    try:
        return bool(value != value)
    except Exception:
        return False


def _values(thing: object) -> dict[str, Any] | None:
    """Return the values of a message or a part of one that has fields, by name; None for everything else."""
    cls: Any = type(thing)
    names = field_names(cls)
    if names is None:
        return None
    values = {name: getattr(thing, name, _MISSING) for name in names}
    for more in ("__dict__", "__pydantic_extra__", "__pydantic_private__"):
        for name, value in (getattr(thing, more, None) or {}).items():
            if name not in values and not hasattr(getattr(cls, name, None), "__get__"):  # no cached_property
                values[name] = value
    return values | {name: getattr(thing, name) for name in other_slots(cls) if hasattr(thing, name)}


def _shown(value: object) -> str:
    try:
        return printable_line(repr(value), _LONGEST_VALUE)
    except Exception:
        return f"a {type(value).__name__}"
