"""Symfony's processors of ``%env(PROCESSOR:NAME)%`` (public documentation: "Environment Variable Processors").

Errors name the variable, and never show its value.
"""

from __future__ import annotations

import base64
import binascii
import csv
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl, quote_plus, unquote, urlsplit

from messenger.config.mistakes import NotSet, Unresolved

_LARGEST_FILE = 1_000_000  # bytes
_WHOLE = re.compile(r"[+-]?[0-9]{1,1000}")
_OF_PHP = ("const", "enum", "require", "shuffle")


class Lookup(Protocol):
    """Where processors look up variables and parameters."""

    @property
    def directory(self) -> Path:
        """The directory of the file: what a relative path begins at."""
        ...

    def variable(self, name: str) -> Any:
        """Return a variable. Raises NotSet, Unresolved."""
        ...

    def parameter(self, name: str) -> Any:
        """Return a parameter. Raises Unresolved."""
        ...

    def resolve(self, text: str) -> Any:
        """Return what a text with placeholders stands for. Raises Unresolved."""
        ...


def process(expression: str, lookup: Lookup) -> Any:
    """Return what ``%env(expression)%`` stands for.

    Args:
        expression: Processors from the outside in, each before a colon, and the name of a variable at the end.
        lookup: Where variables and parameters are looked up.

    Raises:
        Unresolved: A processor is unknown, or cannot use the value.
    """
    name, colon, rest = expression.partition(":")
    if not colon:
        return lookup.variable(expression)
    if name == "default":
        return _default(rest, lookup)
    if name == "key":
        key, _, inner = rest.partition(":")
        return _key(key, process(inner, lookup), rest)
    if name == "defined":
        return _is_defined(rest, lookup)
    found = _OF_VALUES.get(name)
    if found is None:
        reads_php = "it belongs to PHP; " if name in _OF_PHP else ""
        allowed = ", ".join(sorted([*_OF_VALUES, "default", "defined", "key"]))
        raise Unresolved(f"found the processor {name!r} in %env({expression})%: {reads_php}allowed: {allowed}")
    value = process(rest, lookup)
    variable = rest.rpartition(":")[2]
    try:
        return found(value, lookup)
    except _Wrong as error:
        raise Unresolved(f"%env({expression})%: the environment variable {variable} {error}") from None


class _Wrong(Exception):
    """What is wrong with the value of a variable, after its name."""


def _default(rest: str, lookup: Lookup) -> Any:
    parameter, colon, inner = rest.partition(":")
    if not colon:
        raise Unresolved(f"found %env(default:{rest})%; allowed: %env(default:PARAMETER:NAME)%")
    try:
        value = process(inner, lookup)
    except NotSet:
        value = None
    if value is not None and value != "":
        return value
    return lookup.parameter(parameter) if parameter else None


def _is_defined(rest: str, lookup: Lookup) -> bool:
    try:
        return process(rest, lookup) not in (None, "")
    except NotSet:
        return False


def _key(key: str, value: Any, rest: str) -> Any:
    if not isinstance(value, dict) or key not in value:
        raise Unresolved(f"%env(key:{rest})%: there is no key {key!r} in it")
    return value[key]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else ""
    if value is None or isinstance(value, str | int | float):
        return "" if value is None else str(value)
    raise _Wrong("is a map or a list here; allowed: text")


def _number(value: Any) -> float | int:
    if isinstance(value, bool | int | float):
        return int(value) if isinstance(value, bool) else value
    text = _text(value).strip()
    if _WHOLE.fullmatch(text):
        return int(text)
    try:
        number = math.nan if "_" in text else float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise _Wrong("is no number")
    return number


def _bool(value: Any) -> bool:
    if isinstance(value, str) and value.strip().lower() in ("true", "on", "yes"):
        return True
    try:
        return bool(_number(value))
    except _Wrong:
        return False


def _csv(value: Any) -> list[str]:
    try:
        return next(csv.reader([_text(value)]), [])
    except csv.Error:
        raise _Wrong("is not CSV of one line") from None


def _json(value: Any) -> Any:
    try:
        found = json.loads(_text(value))
    except (ValueError, RecursionError):
        raise _Wrong("is not JSON") from None
    if found is not None and not isinstance(found, dict | list):
        raise _Wrong("is JSON of another kind; allowed: a map, a list or null")
    return found


def _file(value: Any, lookup: Lookup) -> str:
    path = lookup.directory / _text(value)
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no file has such a name"
        raise _Wrong(f"names a file that cannot be read ({reason})") from None
    if len(content) > _LARGEST_FILE:
        raise _Wrong(f"names a file of more than {_LARGEST_FILE} bytes")
    return _decoded(content, "names a file that")


def _base64(value: Any) -> str:
    text = _text(value).strip().translate(str.maketrans("-_", "+/"))
    try:
        return _decoded(base64.b64decode(text + "=" * (-len(text) % 4), validate=True), "holds Base64 that")
    except (binascii.Error, ValueError):
        raise _Wrong("is not Base64") from None


def _decoded(content: bytes, what: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise _Wrong(f"{what} is not UTF-8 text") from None


def _url(value: Any) -> dict[str, Any]:
    text = _text(value)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise _Wrong("is no URL") from None
    if not parts.scheme or not parts.netloc:
        raise _Wrong("is no URL with a scheme and a host")
    texts = {
        "scheme": parts.scheme,
        "host": parts.hostname or "",
        "user": unquote(parts.username) if parts.username is not None else None,
        "pass": unquote(parts.password) if parts.password is not None else None,
        "path": parts.path.removeprefix("/") or None,
        "query": parts.query or None,
        "fragment": parts.fragment or None,
    }
    return {**texts, "port": port}


_OF_VALUES: dict[str, Callable[[Any, Lookup], Any]] = {
    "base64": lambda value, _: _base64(value),
    "bool": lambda value, _: _bool(value),
    "csv": lambda value, _: _csv(value),
    "file": _file,
    "float": lambda value, _: float(_number(value)),
    "int": lambda value, _: int(_number(value)),
    "json": lambda value, _: _json(value),
    "not": lambda value, _: not _bool(value),
    "query_string": lambda value, _: dict(parse_qsl(_text(value), keep_blank_values=True)),
    "resolve": lambda value, lookup: lookup.resolve(_text(value)),
    "string": lambda value, _: _text(value),
    "trim": lambda value, _: _text(value).strip(" \t\n\r\0\x0b"),
    "url": lambda value, _: _url(value),
    "urlencode": lambda value, _: quote_plus(_text(value)),
}
