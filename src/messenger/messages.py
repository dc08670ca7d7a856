"""@message and the registry of message classes: which name a class has on the wire, and back."""

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
    """What @message said of a class."""

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
    """Say how a message class appears outside this program. Without it, its dotted class name is used.

    name: the wire name, e.g. ``"App\\\\Message\\\\SmsNotification"`` to meet a PHP class.
    transport: where it is sent when messenger.yaml routes it nowhere; one name or several.
    aliases: older wire names, one or several, understood when received and never written.
    sign: send it signed, and refuse it unsigned or changed (docs/signing.md); true of its subclasses too.
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
    """What @message said of exactly this class; a subclass is another message."""
    options: MessageOptions = cls.__dict__.get(_ATTRIBUTE, _NOTHING_SAID)
    return options


def dotted_name(cls: type) -> str:
    """The dotted name of a class: module and qualified name."""
    return f"{cls.__module__}.{cls.__qualname__}"


def _wire_name(cls: type) -> str:
    return message_options(cls).name or dotted_name(cls)


wire_name: Callable[[type], str] = cache(_wire_name)
"""The name of a message class on the wire. `@message` comes before the first use of the class."""


def is_message_class(value: object) -> bool:
    """Whether instances of this class can be a message: dataclass, attrs class, msgspec Struct or pydantic model."""
    return inspect.isclass(value) and any(hasattr(value, mark) for mark in _MARKS)


class MessageRegistry:
    """Message classes by wire name. Only classes the application named are ever found: the wire imports nothing.

    Attributes:
        by_name: The classes by wire names and aliases.
    """

    def __init__(self, classes: Iterable[type] = ()) -> None:
        self.by_name: dict[str, type] = {}
        self._by_dotted_name: dict[str, type] = {}
        for cls in classes:
            self.add(cls)

    def add(self, cls: type) -> None:
        """Register a class under its wire name and aliases.

        Raises ConfigError when another class has one of these names, also as its dotted name: routing and commands
        know a class by both.
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
        """Register a class of this package: it is read when it is received, and is no message of the application."""
        self.by_name[wire_name(cls)] = cls

    def get(self, name: str) -> type | None:
        """The class with this wire name or alias."""
        return self.by_name.get(name)

    def names(self) -> list[str]:
        """The wire names, sorted, without aliases."""
        return sorted(map(wire_name, self.classes))

    @property
    def classes(self) -> tuple[type[Any], ...]:
        """The registered classes in order of registration."""
        return tuple(self._by_dotted_name.values())
