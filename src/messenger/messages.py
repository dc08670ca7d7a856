"""Message classes and their names on the wire: the decorator `message` and the registry."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from messenger.errors import ConfigError, HandlerDefinitionError

T = TypeVar("T", bound=type)
_ATTRIBUTE = "__messenger_message__"
# What a dataclass, an attrs class, a msgspec Struct and a pydantic model have.
_MARKS = ("__dataclass_fields__", "__attrs_attrs__", "__struct_fields__", "model_validate_json")


@dataclass(frozen=True, slots=True)
class MessageOptions:
    """The arguments of `@message` for one class; see `message`."""

    name: str | None = None
    transports: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    sign: bool = False


_NOTHING_SAID = MessageOptions()


def message(
    *,
    name: str | None = None,
    transport: str | Iterable[str] = (),
    aliases: str | Iterable[str] = (),
    sign: bool = False,
) -> Callable[[T], T]:
    r"""Set the wire name and other options of a message class. Without it, the wire name is the dotted class name.

    Args:
        name: The wire name, e.g. ``"App\\Message\\SmsNotification"`` to meet a PHP class.
        transport: Where the message is sent when messenger.yaml does not route it; one name or several.
        aliases: Older wire names, one or several. They are understood when received and never written.
        sign: Send the message signed, and refuse it unsigned or changed (docs/signing.md). Subclasses inherit this.

    Returns:
        A decorator that returns the class itself.

    Raises:
        HandlerDefinitionError: The decorated object is not a class.
    """
    options = MessageOptions(name, _several(transport), _several(aliases), sign)

    def decorate(cls: T) -> T:
        if not isinstance(cls, type):
            raise HandlerDefinitionError(f"@message is for classes, not for {cls!r}")
        setattr(cls, _ATTRIBUTE, options)
        return cls

    return decorate


def _several(names: str | Iterable[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def message_options(cls: type) -> MessageOptions:
    """Return the `@message` options of exactly this class; a subclass is another message."""
    options: MessageOptions = cls.__dict__.get(_ATTRIBUTE, _NOTHING_SAID)
    return options


def dotted_name(cls: type) -> str:
    """Return the dotted name of a class: module and qualified name."""
    return f"{cls.__module__}.{cls.__qualname__}"


def _wire_name(cls: type) -> str:
    return message_options(cls).name or dotted_name(cls)


wire_name: Callable[[type], str] = cache(_wire_name)
"""The name of a message class on the wire. `@message` comes before the first use of the class."""


def is_message_class(value: object) -> bool:
    """Return True for a class of messages: a dataclass, attrs class, msgspec Struct or pydantic model."""
    return inspect.isclass(value) and any(hasattr(value, mark) for mark in _MARKS)


class MessageRegistry:
    """Message classes by wire name. It finds only classes that were added: a name from the wire is never imported.

    Attributes:
        by_name: The classes by wire names and aliases.
    """

    def __init__(self, classes: Iterable[type] = ()) -> None:
        """Create a registry.

        Args:
            classes: The classes to add.

        Raises:
            ConfigError: Two of the classes share a name.
        """
        self.by_name: dict[str, type] = {}
        self._by_dotted_name: dict[str, type] = {}
        for cls in classes:
            self.add(cls)

    def add(self, cls: type) -> None:
        """Register a class under its wire name and aliases.

        Args:
            cls: The message class.

        Raises:
            ConfigError: Another class has one of these names, or has it as its dotted name: routing and commands know a
                class by both.
        """
        if cls in self.classes:
            return
        names = (wire_name(cls), *message_options(cls).aliases)
        for name in (*names, dotted_name(cls)):
            other = self.by_name.get(name) or self._by_dotted_name.get(name)
            if other not in (None, cls):
                raise ConfigError(
                    f"two message classes are called {name!r}: {dotted_name(other)} and {dotted_name(cls)}; give one "
                    "of them another name with @message(name=…), or take the alias away"
                )
        self.by_name.update(dict.fromkeys(names, cls))
        self._by_dotted_name[dotted_name(cls)] = cls

    def add_own(self, cls: type) -> None:
        """Register a class of this package. It can be received, and is not listed as a message of the application."""
        self.by_name[wire_name(cls)] = cls

    def get(self, name: str) -> type | None:
        """Return the class with this wire name or alias, or None."""
        return self.by_name.get(name)

    def names(self) -> list[str]:
        """Return the wire names, sorted, without aliases."""
        return sorted(map(wire_name, self.classes))

    @property
    def classes(self) -> tuple[type[Any], ...]:
        """The registered classes in order of registration."""
        return tuple(self._by_dotted_name.values())
