"""Transport DSNs, read the way Symfony reads them, and their typed options."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from messenger.errors import ConfigError

_TRUE = frozenset(("1", "true", "on", "yes"))
_FALSE = frozenset(("0", "false", "off", "no", ""))


@dataclass(frozen=True, slots=True)
class Dsn:
    """The parts of a DSN, percent-decoded. The password is left out of its text."""

    scheme: str
    host: str
    port: int | None
    path: str
    query: Mapping[str, str]
    user: str | None = None
    password: str | None = field(default=None, repr=False)


def parse_dsn(transport: str, text: str) -> Dsn:
    """Parse a DSN.

    Args:
        transport: Name of the transport, for errors.
        text: The DSN.

    Raises:
        ConfigError: It cannot be parsed. The error does not show its password.
    """
    try:
        text.encode()  # a surrogate, from a byte that is no UTF-8, is a ValueError here and trouble later on
        parts = urlsplit(text)
        port = parts.port
        host = parts.hostname or ""
    except ValueError:  # its text would show a part of the password
        raise not_a_dsn(transport) from None
    if "#" in text or "@" in parts.path + parts.query or "[" in parts.netloc.rpartition("@")[0]:
        raise not_a_dsn(transport)  # a password that ends the host part too early, or begins in the user's name
    if not parts.scheme:
        raise ConfigError(
            f"transports.{transport}.dsn: no scheme; allowed: redis://host:port/stream, doctrine://connection, "
            "in-memory://, sync://"
        )
    user = unquote(parts.username) if parts.username is not None else None
    password = unquote(parts.password) if parts.password is not None else None
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Dsn(parts.scheme, unquote(host), port, unquote(parts.path), query, user, password)


def not_a_dsn(transport: str) -> ConfigError:
    """The error that shows nothing of a DSN: any piece of it may be one of a password."""
    return ConfigError(
        f"transports.{transport}.dsn: not a DSN; allowed: scheme://user:password@host:port/path?option=value, port "
        "<= 65535, and in user and password each of @ : / ? # [ ] % percent-encoded (%40 %3A %2F %3F %23 %5B %5D %25)"
    )


def read_options(
    transport: str, defaults: Mapping[str, Any], *sources: Mapping[str, Any], also: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Merge sources of options over the defaults; later sources win, and each value gets the type of its default.

    Args:
        transport: Name of the transport, for errors.
        defaults: The options and their defaults.
        *sources: The options that were given.
        also: Names that are allowed without a default; the caller reads them.

    Raises:
        ConfigError: A name is unknown, or a value has another type; the error lists what is allowed.
    """
    values = dict(defaults)
    for source in sources:
        for name, value in source.items():
            if value is None and defaults.get(name) is not None:
                continue  # nothing is written there: the default
            if name in also:
                values[name] = value
            elif name in defaults:
                values[name] = _typed(transport, name, value, defaults[name])
            else:
                allowed = ", ".join(sorted((*defaults, *also)))
                raise ConfigError(f"transports.{transport}: unknown option {name!r}; allowed: {allowed}")
    return values


def _typed(transport: str, name: str, value: Any, default: Any) -> Any:
    if value is None or default is None or isinstance(default, str):
        return value if value is None or isinstance(value, str) else str(value)
    text = str(value).lower()
    if isinstance(default, bool):
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
        raise _bad_value(transport, name, value, "true or false")
    try:
        number = type(default)(text)
    except ValueError:
        raise _bad_value(transport, name, value, f"a number like {default}") from None
    if not 0 <= number < math.inf:
        raise _bad_value(transport, name, value, "a number of at least 0")
    return number


def _bad_value(transport: str, name: str, value: Any, allowed: str) -> ConfigError:
    return ConfigError(f"transports.{transport}: option {name}: found {str(value)!r}; allowed: {allowed}")
