"""Imports what messenger.yaml names. A mistake is one line with the place it was made."""

from __future__ import annotations

import pkgutil
import traceback
from collections.abc import Callable, Sequence

from messenger.errors import ConfigError
from messenger.printable import LONGEST_LINE, printable_line, text_of


def import_name(name: str, where: str) -> object:
    """Import the object with a dotted name.

    Args:
        name: The dotted name.
        where: File and key, for the error.

    Raises:
        ConfigError: It cannot be imported, whatever its module raised.
    """
    if not all(part.isidentifier() for part in name.split(".")) or "." not in name:
        raise ConfigError(f"{where}: found {name!r}; allowed: a dotted name such as shop.messaging.Name")
    try:
        return pkgutil.resolve_name(name)
    except (Exception, SystemExit) as error:
        raise ConfigError(f"{where}: cannot import {name!r}: {one_line(error)}") from error


def make(factory: Callable[..., object], arguments: Sequence[object], name: str, where: str) -> object:
    """Call a class or function of the application.

    Args:
        factory: The class or function.
        arguments: Its arguments.
        name: Its name in messenger.yaml.
        where: File and key, for the error.

    Raises:
        ConfigError: It raised something.
    """
    try:
        return factory(*arguments)
    except (Exception, SystemExit) as error:
        raise ConfigError(f"{where}: {name} cannot be created: {one_line(error)}") from error


def one_line(error: BaseException) -> str:
    """An error's class, text and place in one line."""
    return printable_line(f"{type(error).__name__}: {text_of(error)}", LONGEST_LINE) + _origin(error)


def _origin(error: BaseException) -> str:
    """Where it went wrong: the innermost line outside the import machinery."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" ({error.filename}:{error.lineno})"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "importlib" not in f.filename]
    return f" ({frames[-1].filename}:{frames[-1].lineno})" if len(frames) > 1 else ""
