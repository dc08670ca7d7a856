"""Tells by the exact types of its values that a message arrives as it is. Compiled once for each message class.

A field of type `int` that holds an `int` arrives; one that holds a `bool` or a `str` may not, and a field of type `Any`
says nothing: there the body is read again and compared (`messenger.wire.arrival`).
"""

from __future__ import annotations

import dataclasses
import enum
import math
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

Check = Callable[[Any], bool]
Kinds = dict[type, Check | None]
"""The types that a value may have, each with what must be true of the value besides; None: nothing."""

_ANY_OF = frozenset((str, int, bool, types.NoneType))  # a union of these is read as what was written
_KINDS: Mapping[object, Check | None] = {
    **dict.fromkeys((*_ANY_OF, bytes, date, UUID)),
    float: math.isfinite,
    Decimal: Decimal.is_finite,
    datetime: lambda value: value.tzinfo is None or value.tzinfo is UTC,
}
_MISSING = object()


def never(value: object) -> bool:
    """The check of a class or a type of which nothing is known beforehand."""
    return False


@cache
def exact_types_check(cls: type) -> Check:
    """Make the check of a message class.

    Returns:
        A function that is true of a message that arrives as it is, and false where only reading the body can tell.
    """
    return _check_of_class(cls, ()) or never


@cache
def field_names(cls: type) -> tuple[str, ...] | None:
    """Return the fields of a dataclass, an attrs class, a Struct or a pydantic model; None for another class."""
    if dataclasses.is_dataclass(cls):
        return tuple(field.name for field in dataclasses.fields(cls))
    if hasattr(cls, "__attrs_attrs__"):
        return tuple(attribute.name for attribute in cls.__attrs_attrs__)
    known: object = getattr(cls, "__struct_fields__", None)
    known = getattr(cls, "model_fields", None) if known is None else known
    return tuple(known) if isinstance(known, tuple | dict) else None


def other_slots(cls: type) -> Iterator[str]:
    """Yield the slots of a class that are none of its fields; those of attrs hold what a cached_property returned."""
    fields = field_names(cls) or ()
    for parent in cls.__mro__:
        for name, slot in vars(parent).items():
            is_other = type(slot) is types.MemberDescriptorType and name not in fields and not name.startswith("__")
            if is_other and "__attrs_attrs__" not in vars(parent):
                yield name


def _check_of_class(cls: type, around: tuple[type, ...]) -> Check | None:
    if cls in around or _changes_values(cls):
        return None
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
    except Exception:
        return None
    fields: list[tuple[str, Kinds]] = []
    for name in field_names(cls) or ():
        kinds = _kinds(hints.get(name), (*around, cls))
        if kinds is None:
            return None
        fields.append((name, kinds))
    if next(other_slots(cls), None) is not None:
        return None
    is_slot = [type(getattr(cls, name, None)) is types.MemberDescriptorType for name, _ in fields]
    count = is_slot.count(False) if cls.__dictoffset__ else None

    def check(message: Any) -> bool:
        if count is not None and len(message.__dict__) != count:  # an attribute that is no field
            return False
        for name, kinds in fields:
            value = getattr(message, name, _MISSING)
            more = kinds.get(type(value), never)
            if more is not None and not more(value):
                return False
        return True

    return check


def _kinds(annotation: Any, around: tuple[type, ...]) -> Kinds | None:
    """Return what a value of this annotation may be; None where that cannot be said."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return _kinds_of_union(arguments, around)
    if origin in (list, tuple, dict):
        return _kinds_of_items(origin, arguments, around)
    if origin is not None or not isinstance(annotation, type):
        return {types.NoneType: None} if annotation is None else None
    if annotation in _KINDS:
        return {annotation: _KINDS[annotation]}
    cls: Any = annotation
    if issubclass(cls, enum.Enum):
        return None if issubclass(cls, enum.Flag) else {cls: None}
    check = _check_of_class(cls, around) if field_names(cls) is not None else None
    return None if check is None else {cls: check}


def _kinds_of_union(members: tuple[Any, ...], around: tuple[type, ...]) -> Kinds | None:
    others = [member for member in members if member is not types.NoneType]
    if len(others) > 1 and not _ANY_OF.issuperset(others):
        return None
    found: Kinds = {types.NoneType: None}
    for member in others:
        kinds = _kinds(member, around)
        if kinds is None:
            return None
        found |= kinds
    return found


def _kinds_of_items(origin: type, arguments: tuple[Any, ...], around: tuple[type, ...]) -> Kinds | None:
    """Return what a list, a tuple of any length or a dict with texts as keys may be."""
    is_known = (origin is tuple and arguments[1:] == (...,)) or (origin is dict and arguments[0] is str)
    kinds = _kinds(arguments[-1 if origin is dict else 0], around) if is_known or origin is list else None
    if kinds is None:
        return None
    check = _check_of_items(kinds)
    if origin is dict:
        return {dict: lambda value: _ONLY_TEXTS(map(type, value)) and check(value.values())}
    return {origin: check}


_ONLY_TEXTS = frozenset((str,)).issuperset


def _check_of_items(kinds: Kinds) -> Check:
    if not any(kinds.values()):
        known = frozenset(kinds).issuperset
        return lambda values: known(map(type, values))

    def check(values: Any) -> bool:
        for value in values:
            more = kinds.get(type(value), never)
            if more is not None and not more(value):
                return False
        return True

    return check


def _changes_values(cls: Any) -> bool:
    """Return True when a message may hold other values than it was created with."""
    if any(hasattr(cls, name) for name in ("model_fields", "__post_init__", "__attrs_post_init__")):
        return True
    if dataclasses.is_dataclass(cls):  # also InitVar and ClassVar are in __dataclass_fields__
        fields = dataclasses.fields(cls)
        return len(fields) != len(cls.__dataclass_fields__) or not all(field.init for field in fields)
    return any(
        attribute.converter or attribute.validator or not attribute.init or attribute.name.startswith("_")
        for attribute in getattr(cls, "__attrs_attrs__", ())
    )
