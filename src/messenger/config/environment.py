"""The environment of an application: the `.env` files beside messenger.yaml, overlaid with the real environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from dotenv import dotenv_values

from messenger.errors import ConfigError


def read_environment(directory: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of the `.env` files in `directory`, overlaid with the real environment.

    The files are Symfony's, a later one wins: `.env`, `.env.local` (not for APP_ENV=test), `.env.<APP_ENV>`,
    `.env.<APP_ENV>.local`. Values stand as they are written: ``$`` and ``${…}`` are not expanded, so that a password
    may contain them.

    Args:
        directory: Where messenger.yaml is.
        environ: The real environment, which wins over each file.

    Raises:
        ConfigError: A file cannot be read, or holds a NUL byte.
    """
    found: dict[str, str] = {}
    for name in _file_names(found, environ):
        found |= _read(directory / name)
    return found | dict(environ)


def _file_names(found: Mapping[str, str], environ: Mapping[str, str]) -> Iterator[str]:
    """The files in order; `found` fills meanwhile, and may name the environment."""

    def app_env() -> str:
        return environ.get("APP_ENV") or found.get("APP_ENV", "")

    yield ".env"
    if app_env() != "test":  # tests have the same result on each machine
        yield ".env.local"
    name = app_env()
    if name and name != "local" and "/" not in name and "\0" not in name:
        yield f".env.{name}"
        yield f".env.{name}.local"


def _read(path: Path) -> dict[str, str]:
    try:
        values = dotenv_values(path, interpolate=False) if path.exists() else {}
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"{path}: cannot be read ({reason}); run this as the user the application runs as") from None
    for name, value in values.items():
        if "\0" in name or "\0" in (value or ""):
            raise ConfigError(f"{path}: holds a NUL byte, which no variable can have; write the file again as text")
        if not name or "=" in name:
            raise ConfigError(
                f"{path}: the name of a variable is empty or has a = in it; allowed: NAME=value on a line"
            )
    return {name: value for name, value in values.items() if value is not None}
