"""Imports the modules that messenger.yaml names, and notes the handlers and message classes they hold."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from messenger.config.importing import import_name, one_line
from messenger.config.loader import LoadedConfig
from messenger.errors import ConfigError, HandlerDefinitionError
from messenger.handling.registry import HandlerRegistry, collect_handlers
from messenger.messages import MessageRegistry, is_message_class


@dataclass(frozen=True, slots=True)
class Modules:
    """What the modules of an application hold, and notes for the author of its messenger.yaml."""

    handlers: HandlerRegistry
    messages: MessageRegistry
    notes: Sequence[str]


def load_modules(loaded: LoadedConfig) -> Modules:
    """Import what `handlers` and `routing` of a messenger.yaml name.

    Raises:
        ConfigError: A module or class cannot be imported; the error names the file and the key.
        HandlerDefinitionError: A handler is declared wrongly; the error names the file and the key.
    """
    handlers, messages = HandlerRegistry(), MessageRegistry()
    for name in dict.fromkeys(loaded.messenger.handlers):
        module = _import(name, loaded.path, handlers)
        for value in vars(module).values():
            if is_message_class(value) and value.__dict__.get("__messenger_message__"):
                messages.add(value)
    for cls in handlers.message_types:
        if is_message_class(cls):
            messages.add(cls)
    notes = [note for key in loaded.messenger.routing for note in _load_routed_class(key, loaded.path, messages)]
    return Modules(handlers, messages, notes)


def _import(name: str, path: Path, handlers: HandlerRegistry) -> ModuleType:
    try:
        module = importlib.import_module(name)
        for handler in collect_handlers(module):
            handlers.add(handler)
    except HandlerDefinitionError as error:
        raise HandlerDefinitionError(f"{path}: handlers: {error}") from error
    except (Exception, SystemExit) as error:
        raise ConfigError(f"{path}: handlers: cannot import {name!r}: {one_line(error)}") from error
    return module


def _load_routed_class(key: str, path: Path, messages: MessageRegistry) -> list[str]:
    """A dotted routing key names a class of this application; a PHP name must be some class's wire name."""
    if key == "*" or key.endswith(("\\*", ".*")) or messages.get(key) is not None:
        return []
    if "\\" in key or "." not in key:
        return [f"routing: no message class here has the wire name {key!r}"]
    try:
        value = pkgutil.resolve_name(key)
    except (Exception, SystemExit) as error:  # whatever its module does when it is imported
        raise ConfigError(f"{path}: routing.{key}: no such class: {one_line(error)}") from error
    if is_message_class(value):
        messages.add(value)
    return []


def run_setup(name: str, where: str, application: object, complete: Callable[[object], object]) -> None:
    """Call the application's own setup function, which provides what its handlers ask for.

    Args:
        name: the function's dotted name.
        where: file and key, for errors.
        application: what the function is given.
        complete: waits for what it returned, should it be async.

    Raises:
        ConfigError: one line, whatever it raised.
    """
    setup = import_name(name, where)
    if not callable(setup):
        raise ConfigError(f"{where}: {name!r} is no function; allowed: a function that takes the Application")
    try:
        complete(setup(application))
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
    except BaseException as error:
        raise ConfigError(f"{where}: {name} failed: {one_line(error)}") from error
