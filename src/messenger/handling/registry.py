"""The decorator `handler`, and the registry of handlers."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from messenger.errors import HandlerDefinitionError
from messenger.handling.annotations import (
    annotated_types,
    check_is_found,
    check_takes_message,
    definition_error,
    is_protocol,
)

F = TypeVar("F", bound=Callable[..., Any])
_ATTRIBUTE = "__messenger_handler__"
ANY_MESSAGE = "*"


@dataclass(frozen=True, slots=True)
class Batch:
    """When to call a batch handler. The first condition that is met counts; a worker that stops calls it in any case.

    Attributes:
        size: Number of messages that make a full batch.
        max_wait: Seconds after the first message.
        max_idle: Seconds after the last message.
    """

    size: int = 10
    max_wait: float = 10.0
    max_idle: float = 1.0


@dataclass(frozen=True, slots=True)
class HandlerOptions:
    """The arguments of `@handler`, and the message classes read from the annotation; see `handler`."""

    handles: tuple[type | str, ...]
    bus: str | None = None
    from_transport: str | None = None
    priority: int = 0
    alias: str | None = None
    sign: bool = False
    timeout: float | None = None
    batch: Batch | None = None


@overload
def handler(target: F, /) -> F: ...


@overload
def handler(
    *,
    handles: type | str | None = None,
    bus: str | None = None,
    from_transport: str | None = None,
    priority: int = 0,
    alias: str | None = None,
    sign: bool = False,
    timeout: float | None = None,
    batch: Batch | None = None,
) -> Callable[[F], F]: ...


def handler(target: Callable[..., Any] | None = None, /, *, handles: type | str | None = None, **options: Any) -> Any:
    """Mark a function, or a class with ``__call__``, as a message handler.

    The message type is the annotation of the first parameter; each member of a union is handled. The mark takes effect
    when messenger.yaml names the module under ``handlers``. A class is instantiated once, without arguments. Further
    parameters get the `Envelope` or an object that the application provides, by their annotation
    (`Application.provide`).

    Args:
        target: The function or class.
        handles: A message class instead of the annotation, or ``"*"`` for every message.
        **options: The fields of HandlerOptions: ``bus`` and ``from_transport`` (only messages of this bus, or received
            from this transport); ``priority`` (higher runs first among the handlers of one type); ``alias``
            (distinguishes two registrations of one function); ``sign`` (accept these messages only signed with the key
            of messenger.yaml, and send them signed, docs/signing.md); ``timeout`` (seconds after which the handler is
            interrupted and has failed; None uses `handler_timeout` of messenger.yaml); ``batch`` (call the handler with
            several messages at once: its first parameter is a ``list``).

    Returns:
        The function or class itself, or a decorator that returns it.

    Raises:
        HandlerDefinitionError: The annotation is missing or unusable, or a number is out of range. The error names file
            and line.
    """

    def decorate(thing: F) -> F:
        check_is_found(thing)
        is_batch = options.get("batch") is not None
        wanted = (handles,) if handles is not None else annotated_types(thing, is_batch=is_batch)
        said = HandlerOptions(wanted, **options)
        _check_numbers(thing, said.timeout, said.batch)
        setattr(thing, _ATTRIBUTE, said)
        return thing

    return decorate if target is None else decorate(target)


_LONGEST_SECONDS = 31_622_400  # a year


def _check_numbers(thing: Callable[..., Any], timeout: float | None, batch: Batch | None) -> None:
    if timeout is not None and not 0 < timeout <= _LONGEST_SECONDS:
        raise definition_error(
            thing, f"timeout is {timeout!r}; allowed: seconds, more than 0 and at most {_LONGEST_SECONDS}"
        )
    if batch is not None and not (batch.size >= 1 and batch.max_wait > 0 and batch.max_idle > 0):
        raise definition_error(thing, f"{batch!r}: size is at least 1, max_wait and max_idle are seconds, more than 0")


@dataclass(frozen=True, slots=True)
class Handler:
    """A callable that handles messages.

    Attributes:
        name: Its identity on the wire: a retry skips the handlers that are recorded by their name.
        call: Called with the message.
        options: The options of `@handler`.
    """

    name: str
    call: Callable[..., Any]
    options: HandlerOptions


def collect_handlers(module: types.ModuleType) -> list[Handler]:
    """Return the handlers defined in a module, in their order. An imported handler belongs to its own module."""
    found: dict[int, Handler] = {}  # by identity: one thing under two names is one handler
    for thing in vars(module).values():
        options = getattr(thing, "__dict__", {}).get(_ATTRIBUTE)
        if isinstance(options, HandlerOptions) and thing.__module__ == module.__name__ and id(thing) not in found:
            found[id(thing)] = make_handler(thing, options)
    return list(found.values())


def make_handler(thing: Callable[..., Any], options: HandlerOptions | None = None) -> Handler:
    """Create a Handler from a function or class marked with `@handler`.

    Args:
        thing: The function or class.
        options: Replaces the options of the mark.

    Raises:
        HandlerDefinitionError: It is not marked, or cannot be used as a handler.
    """
    options = options or getattr(thing, _ATTRIBUTE, None)
    if options is None:
        raise definition_error(thing, "it is not marked with @handler")
    try:
        call: Any = thing() if inspect.isclass(thing) else thing
    except Exception as error:
        raise definition_error(thing, f"the class cannot be created without arguments ({error})") from error
    entry: Any = type(call).__call__ if inspect.isclass(thing) else call
    name = f"{thing.__module__}.{thing.__qualname__}" + (f"@{options.alias}" if options.alias else "")
    if inspect.isgeneratorfunction(entry) or inspect.isasyncgenfunction(entry):
        raise definition_error(thing, "it is a generator, of which nothing would ever run: write it without yield")
    check_takes_message(thing, call)
    return Handler(name, call, options)


class HandlerRegistry:
    """The handlers of messages: by class, then parents, then protocols, then ``*``; each handler once."""

    def __init__(self, handlers: Iterable[Handler] = ()) -> None:
        """Create a registry.

        Args:
            handlers: The handlers to add.
        """
        self._handlers: list[Handler] = []
        self._by_class: dict[type, tuple[Handler, ...]] = {}
        self._by_origin: dict[tuple[type, str, str | None], tuple[Handler, ...]] = {}
        for item in handlers:
            self.add(item)

    def add(self, item: Handler) -> None:
        """Register a handler.

        Raises:
            HandlerDefinitionError: Another handler of the same message has its name.
        """
        for other in self._handlers:
            if other.name == item.name and not set(other.options.handles).isdisjoint(item.options.handles):
                raise HandlerDefinitionError(f"two handlers are called {item.name!r}: give one an alias")
        self._handlers.append(item)
        self._by_class.clear()
        self._by_origin.clear()

    def for_message(self, message: object) -> tuple[Handler, ...]:
        """Return the handlers of a message, in the order they run."""
        cls = type(message)
        found = self._by_class.get(cls)
        if found is None:
            found = self._by_class[cls] = self._look_up(message)
        return found

    def for_received(self, message: object, bus: str, transport: str | None) -> tuple[Handler, ...]:
        """Return the handlers of a message on a bus, in the order they run.

        Args:
            message: The message.
            bus: The name of the bus.
            transport: The name of the transport that the message came from; None when it came from none.
        """
        key = (type(message), bus, transport)
        found = self._by_origin.get(key)
        if found is None:
            found = self._by_origin[key] = tuple(
                item
                for item in self.for_message(message)
                if item.options.bus in (None, bus)
                and (transport is None or item.options.from_transport in (None, transport))
            )
        return found

    def _look_up(self, message: object) -> tuple[Handler, ...]:
        lineage: list[type | str] = [c for c in type(message).__mro__ if c is not object]
        protocols = [t for t in self.message_types if is_protocol(t) and t not in lineage and isinstance(message, t)]
        by_priority = sorted(self._handlers, key=lambda item: -item.options.priority)
        wanted = (*lineage, *protocols, ANY_MESSAGE)
        return _once(item for handled in wanted for item in by_priority if handled in item.options.handles)

    @property
    def message_types(self) -> tuple[type, ...]:
        """Every class that a handler names."""
        named = (handled for item in self._handlers for handled in item.options.handles)
        return tuple(dict.fromkeys(handled for handled in named if isinstance(handled, type)))

    @property
    def handlers(self) -> tuple[Handler, ...]:
        """Every handler, once."""
        return _once(self._handlers)


def _once(handlers: Iterable[Handler]) -> tuple[Handler, ...]:
    found: dict[str, Handler] = {}
    for item in handlers:
        found.setdefault(item.name, item)
    return tuple(found.values())
