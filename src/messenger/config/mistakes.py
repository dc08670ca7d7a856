"""Errors about messenger.yaml: one line with the file, the key, what was found and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from msgspec import Struct, StructMeta
from msgspec.structs import fields

from messenger.errors import ConfigError
from messenger.printable import printable_line

_LOCATION = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<path>.*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_WORDS = {
    "object": "a map",
    "array": "a list",
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    " | ": " or ",
}
_SECRET = ("signing", "signing.key", "signing.previous_key")  # no error shows what stands there
_LONGEST = 2000  # characters of an error
_TYPES = re.compile(r"\b(?:object|array|str|int|float|bool)\b| \| ")


class Mistakes:
    """Makes the errors of one file.

    root: the key that everything stands below.
    """

    def __init__(self, path: Path, root: str) -> None:
        self._path = path
        self._root = root
        self._written: dict[str, str] = {}

    def expanded(self, value: Any, written: str) -> None:
        """Have errors show `written` instead of the texts in `value`: what the environment gave may be a secret."""
        if isinstance(value, str):
            self._written[value] = written
        for item in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
            self.expanded(item, written)

    def found(self, value: Any) -> str:
        """A value for an error."""
        return _shown(self._written.get(value, value) if isinstance(value, str) else value)

    def error(self, key: str, reason: str) -> ConfigError:
        """The error for a key, which is named below the root."""
        key = ".".join(part for part in (self._root, key.lstrip(".")) if part)
        return ConfigError(printable_line(f"{self._path}: {key}: {reason}", limit=_LONGEST))

    def explain(self, message: str, value: Any, wanted: Any, where: str) -> ConfigError:
        """The error for what msgspec says of `value`, which is no `wanted`."""
        match = _LOCATION.match(message)
        what = match["what"] if match else message
        path = ((match["path"] or "") if match else "").lstrip(".")
        key = ".".join(part for part in (where, path) if part).replace(".[", "[")
        unknown = _UNKNOWN.match(what)
        if unknown:
            return self.error(key, f"unknown key {unknown[1]!r}; allowed: {', '.join(_keys_at(wanted, path))}")
        if what.startswith(("found ", "missing ")):  # the model's own words
            return self.error(key, what)
        if "missing required field" in what:
            return self.error(key, what.replace("Object missing required field", "missing key").replace("`", "'"))
        found = "a value of another kind" if path in _SECRET else self.found(_value_at(value, path))
        if "enum value" in what:
            return self.error(key, f"found {found}; allowed: {_choices_at(wanted, path)}")
        allowed = what.replace("Expected ", "").replace("`", "").split(", got ")[0]
        allowed = _TYPES.sub(lambda m: _WORDS[m[0]], allowed)
        return self.error(key, f"found {found}; allowed: {allowed}{_cast(found, allowed)}")


def _cast(found: str, allowed: str) -> str:
    """How a variable becomes a number or a switch, where that is what is missing."""
    for words, processor in (("a whole number", "int"), ("a number", "float"), ("true or false", "bool")):
        if words in allowed and "%env(" in found:
            return f"; %env({processor}:NAME)% makes one of a variable"
    return ""


def _keys_at(wanted: Any, path: str) -> list[str]:
    """The keys of the struct that `path` leads to."""
    return [item.encode_name for item in fields(_struct_in(_type_at(wanted, path)))]


def _struct_in(wanted: Any) -> Any:
    """The struct itself, or the one among several types."""
    if get_origin(wanted) in (Union, UnionType):
        return next(member for member in get_args(wanted) if isinstance(member, type) and issubclass(member, Struct))
    return wanted


def _choices_at(wanted: Any, path: str) -> str:
    """What may stand where a few fixed texts are allowed, and perhaps true, false or a map."""
    wanted = _type_at(wanted, path)
    members = get_args(wanted) if get_origin(wanted) in (Union, UnionType) else (wanted,)
    choices = [choice for member in members if get_origin(member) is Literal for choice in get_args(member)]
    choices += ["true", "false"] * (bool in members)
    return ", ".join(choices) + " or a map" * any(isinstance(member, StructMeta) for member in members)


def _type_at(wanted: Any, path: str) -> Any:
    for part in path.split(".") if path else ():
        for item in fields(_struct_in(wanted)):
            if item.name == part:
                wanted = get_args(item.type)[0] if get_origin(item.type) is Annotated else item.type
    return wanted


def _value_at(value: Any, path: str) -> Any:
    for part in re.findall(r"[^.\[\]]+", path):
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
    return value


def _shown(value: Any) -> str:
    """Short, and never a DSN with its password."""
    if isinstance(value, str) and "://" in value:
        return "a DSN"
    if isinstance(value, Mapping):
        return "a map"
    if isinstance(value, list):
        return "a list"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return repr(value)[:60]


class Unresolved(Exception):
    """A placeholder that stands for nothing. Its text says why and what to do, without the value of a variable."""


class NotSet(Unresolved):
    """A variable that is neither set nor has a default."""
