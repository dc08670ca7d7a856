"""Forms that Symfony takes for another one: nothing for the default, one value for a list, a text for a map."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from msgspec import Struct
from msgspec.structs import fields


def transport(value: Any) -> Any:
    """Return a transport with its retry strategy in the long form: a text is a service."""
    if isinstance(value, Mapping) and isinstance(value.get("retry_strategy"), str):
        return {**value, "retry_strategy": {"service": value["retry_strategy"]}}
    return value


def bus(value: Any) -> Any:
    """Return a bus with a list of middleware, each a name or ``{name: [argument, …]}``."""
    value = or_empty(value)
    if not isinstance(value, Mapping) or not isinstance(value.get("middleware"), str | Mapping | list):
        return value
    steps = value["middleware"]
    return {**value, "middleware": [_step(step) for step in (steps if isinstance(steps, list) else [steps])]}


def _step(value: Any) -> Any:
    if isinstance(value, Mapping) and isinstance(value.get("id"), str) and value.keys() <= {"id", "arguments"}:
        return {value["id"]: value.get("arguments")}
    return value


def signals(value: Any) -> Any:
    """Return a list of signals."""
    return [value] if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)) else value


def or_empty(value: Any) -> Any:
    """Return an empty map where nothing is written, or what PHP writes for one: an empty list."""
    return {} if value is None or value == [] else value


def without_nulls(value: Any, wanted: Any) -> Any:
    """Return `value` without the keys that are null where `wanted`, or a struct in it, has no null.

    Args:
        value: Of YAML.
        wanted: The type that it is to be converted to.
    """
    if not isinstance(value, Mapping):
        return value
    struct = next((part for part in _parts(wanted) if isinstance(part, type) and issubclass(part, Struct)), None)
    if struct is None:
        return value
    types = {item.encode_name: item.type for item in fields(struct)}
    return {
        key: without_nulls(item, types.get(key))
        for key, item in value.items()
        if item is not None or key not in types or NoneType in _parts(types[key])
    }


def _parts(wanted: Any) -> Iterator[Any]:
    """The types of a union, without what Annotated says."""
    origin = get_origin(wanted)
    if origin is Annotated:
        yield from _parts(get_args(wanted)[0])
    elif origin in (Union, UnionType):
        for part in get_args(wanted):
            yield from _parts(part)
    else:
        yield wanted
