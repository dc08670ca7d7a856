"""@message and the registry of message classes: which name a class has on the wire, and back."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, is_dataclass
from typing import Any, TypeVar

from messenger.errors import ConfigError, HandlerDefinitionError

T = TypeVar("T", bound=type)
_ATTRIBUTE = "__messenger_message__"


@dataclass(frozen=True, slots=True)
class MessageOptions:
    """What @message said of a class."""

    name: str | None = None
    transports: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    sign: bool = False


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
    sign: send it signed, and refuse it unsigned or changed (docs/signing.md); true of its subclasses too (R84).
    """
    transports = (transport,) if isinstance(transport, str) else tuple(transport)
    older = (aliases,) if isinstance(aliases, str) else tuple(aliases)
    options = MessageOptions(name, transports, older, sign)

    def decorate(cls: T) -> T:
        if not isinstance(cls, type):
            raise HandlerDefinitionError(f"@message is for classes, not for {cls!r}")
        setattr(cls, _ATTRIBUTE, options)
        return cls

    return decorate


def message_options(cls: type) -> MessageOptions:
    """What @message said of exactly this class; a subclass is another message."""
    options = cls.__dict__.get(_ATTRIBUTE)
    return options if isinstance(options, MessageOptions) else MessageOptions()


def dotted_name(cls: type) -> str:
    """The dotted name of a class: module and qualified name."""
    return f"{cls.__module__}.{cls.__qualname__}"


def wire_name(cls: type) -> str:
    """The name of a message class on the wire."""
    return message_options(cls).name or dotted_name(cls)


def is_message_class(value: object) -> bool:
    """Whether instances of this class can be a message: dataclass, attrs class, msgspec Struct or pydantic model."""
    return inspect.isclass(value) and (
        is_dataclass(value)
        or hasattr(value, "__attrs_attrs__")
        or hasattr(value, "__struct_fields__")
        or hasattr(value, "model_validate_json")
    )


class MessageRegistry:
    """Message classes by wire name. Only classes the application named are ever found: the wire imports nothing."""

    def __init__(self, classes: Iterable[type] = ()) -> None:
        self._by_name: dict[str, type] = {}
        self._by_dotted_name: dict[str, type] = {}
        self._classes: list[type] = []
        for cls in classes:
            self.add(cls)

    def add(self, cls: type) -> None:
        """Register a class under its wire name and aliases.

        Raises ConfigError when another class has one of these names, also as its dotted name: routing and commands
        know a class by both (R80).
        """
        if cls in self._classes:
            return
        names = (wire_name(cls), *message_options(cls).aliases)
        for name in names:
            for other in (self._by_name.get(name), self._by_dotted_name.get(name)):
                self._refuse_two(name, other, cls)
        self._refuse_two(dotted_name(cls), self._by_name.get(dotted_name(cls)), cls)
        self._by_name.update(dict.fromkeys(names, cls))
        self._by_dotted_name.setdefault(dotted_name(cls), cls)
        self._classes.append(cls)

    def add_own(self, cls: type) -> None:
        """Register a class of this package: it is read when it is received, and is no message of the application."""
        self._by_name[wire_name(cls)] = cls

    @staticmethod
    def _refuse_two(name: str, other: type | None, cls: type) -> None:
        if other is not None and other is not cls:
            raise ConfigError(
                f"two message classes are called {name!r}: {dotted_name(other)} and {dotted_name(cls)}; give one of "
                "them another name with @message(name=…), or take the alias away"
            )

    def get(self, name: str) -> type | None:
        """The class with this wire name or alias."""
        return self._by_name.get(name)

    def find(self, name: str) -> type:
        """The class an operator means: wire name, dotted name, or the bare class name where it is unique."""
        known = self.get(name)
        if known is not None:
            return known
        matches = [c for c in self._classes if name in (dotted_name(c), c.__name__)]
        if len(matches) == 1:
            return matches[0]
        what = "is more than one message" if matches else "is no message of this application"
        raise ConfigError(f"{name!r} {what}; known: {', '.join(self.names()) or 'none'}")

    def names(self) -> list[str]:
        """The wire names, sorted, without aliases."""
        return sorted(wire_name(c) for c in self._classes)

    @property
    def classes(self) -> tuple[type[Any], ...]:
        """The registered classes in order of registration."""
        return tuple(self._classes)
