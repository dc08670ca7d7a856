"""`.env` and ``%env(NAME)%``. The real environment wins over the file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from messenger.config.mistakes import Mistakes
from messenger.errors import ConfigError

_ENV = re.compile(r"%env\(([^()]*)\)%|%%")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def read_environment(directory: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of `directory`/.env overlaid with the real environment. ConfigError when the file is unreadable.

    Values stand as they are written: ``$`` and ``${…}`` are not expanded, so that a password may contain them.
    """
    path = directory / ".env"
    try:
        values = dotenv_values(path, interpolate=False) if path.exists() else {}
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"{path}: cannot be read ({reason}); run this as the user the application runs as") from None
    return {name: value for name, value in values.items() if value is not None} | dict(environ)


def expand(value: Any, environment: Mapping[str, str], where: str, mistakes: Mistakes) -> Any:
    """`value` with every ``%env(NAME)%`` in its texts replaced, and ``%%`` by ``%``, as Symfony does.

    where: the key, for the error.
    """
    if isinstance(value, Mapping):
        return {key: expand(item, environment, f"{where}.{key}", mistakes) for key, item in value.items()}
    if isinstance(value, list):
        return [expand(item, environment, f"{where}.{index}", mistakes) for index, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def lookup(match: re.Match[str]) -> str:
        name = match.group(1)
        if name is None:
            return "%"
        if not _NAME.fullmatch(name):
            raise mistakes.error(where, f"found %env({name})%; allowed: %env(NAME)% without processors")
        if name not in environment:
            reason = f"the environment variable {name} is not set; set it, or write it into .env beside the file"
            raise mistakes.error(where, reason)
        try:
            environment[name].encode()
        except UnicodeEncodeError:
            raise mistakes.error(where, f"the environment variable {name} is not UTF-8 text") from None
        return environment[name]

    expanded = _ENV.sub(lookup, value)
    if "%env(" in value:
        mistakes.expanded(expanded, value)
    return expanded
