"""Arguments of a handler besides its message, by annotation: the envelope, or an object of the application."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from messenger.envelope import AnyEnvelope, Envelope
from messenger.errors import ConfigError
from messenger.handling.acknowledger import Acknowledger
from messenger.handling.annotations import definition_error
from messenger.handling.registry import Handler, HandlerRegistry
from messenger.messages import dotted_name

_COLLECTING = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@dataclass(frozen=True, slots=True)
class _Plan:
    """The arguments of one handler.

    Attributes:
        fixed: Provided objects by parameter.
        of_message: Parameters that get the envelope, or a batch's acknowledger.
        each: Factories by parameter, called for each message.
    """

    fixed: Mapping[str, object] = field(default_factory=dict)
    of_message: tuple[str, ...] = ()
    each: Mapping[str, Callable[[], object]] = field(default_factory=dict)


class HandlerArguments:
    """The objects that an application provides, and the handlers that get them. Annotations are read once per handler.

    Attributes:
        message_only: Names of the handlers that take nothing besides the message.
        is_checked: True once the handlers were checked; after that nothing more can be provided.
    """

    def __init__(self, registry: HandlerRegistry) -> None:
        """Create it.

        Args:
            registry: The handlers; all of them are checked before the first message.
        """
        self._registry = registry
        self._provided: dict[type, object] = {}
        self._made: dict[type, Callable[[], object]] = {}
        self._plans: dict[str, _Plan] = {}
        self.message_only: set[str] = set()
        self.is_checked = False

    def provide(self, thing: object, annotation: type[Any] | None = None) -> None:
        """Provide an object for every handler parameter annotated with its class.

        Args:
            thing: The object.
            annotation: A class to match instead of the object's own, such as a base or a protocol.

        Raises:
            ConfigError: An object is provided for that class already, `annotation` is not a class, or a message was
                handled before.
        """
        cls = annotation if annotation is not None else type(thing)
        if not inspect.isclass(cls):
            raise ConfigError(f"provide: {cls!r} is no class; pass a class that parameters are annotated with")
        if inspect.iscoroutine(thing):
            thing.close()
            raise ConfigError(f"provide: found the coroutine of {thing.__qualname__}; allowed: the object it returns")
        if self.is_checked:
            raise ConfigError(f"provide: {_name(cls)} comes too late; provide it before the first message is handled")
        if cls in self._provided or cls in self._made:
            raise ConfigError(f"provide: {_name(cls)} is provided already")
        self._provided[cls] = thing

    def provide_each(self, annotation: type[Any], make: Callable[[], object]) -> None:
        """Provide an object that is made for each message, right before its handler. Batch handlers do not get it.

        Args:
            annotation: The class that parameters are annotated with.
            make: Returns the object.
        """
        self._made[annotation] = make

    def check(self) -> None:
        """Determine the arguments of each handler.

        Raises:
            HandlerDefinitionError: A parameter cannot be filled; the error names file and line.
        """
        if not self.is_checked:
            self._plans = {item.name: self._plan(item) for item in self._registry.handlers}
            self.message_only = {name for name, plan in self._plans.items() if plan == _Plan()}
            self.is_checked = True

    def of(self, handler: Handler, of_message: AnyEnvelope | Acknowledger[Any]) -> dict[str, object]:
        """Return the arguments of a handler after the message, by name.

        Args:
            handler: The handler.
            of_message: The envelope; for a batch handler its acknowledger.

        Raises:
            Exception: What a function of `provide_each` raises.
        """
        if not self.is_checked:
            self.check()
        plan = self._plans.get(handler.name)
        if plan is None:  # registered after the first message
            plan = self._plans[handler.name] = self._plan(handler)
        arguments = {**plan.fixed, **dict.fromkeys(plan.of_message, of_message)}
        for name, make in plan.each.items():
            arguments[name] = make()
        return arguments

    def _plan(self, handler: Handler) -> _Plan:
        parameters = [p for p in _parameters(handler.call)[1:] if p.kind not in _COLLECTING]
        if not parameters:
            return _Plan()
        hints = _hints(handler.call)
        fixed: dict[str, object] = {}
        of_message: list[str] = []
        each: dict[str, Callable[[], object]] = {}
        is_batch = handler.options.batch is not None
        given = Acknowledger if is_batch else Envelope
        for parameter in parameters:
            annotation = hints.get(parameter.name)
            cls = typing.get_origin(annotation) or annotation
            by_name = parameter.kind is not inspect.Parameter.POSITIONAL_ONLY
            if cls is given and by_name:
                of_message.append(parameter.name)
            elif inspect.isclass(cls) and cls in self._provided and by_name:
                fixed[parameter.name] = self._provided[cls]
            elif inspect.isclass(cls) and cls in self._made and by_name and not is_batch:
                each[parameter.name] = self._made[cls]
            elif parameter.default is inspect.Parameter.empty:
                raise definition_error(_defined(handler.call), self._why_not(parameter, annotation, given))
        return _Plan(fixed, tuple(of_message), each)

    def _why_not(self, parameter: inspect.Parameter, annotation: Any, given: type) -> str:
        if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
            return f"parameter {parameter.name!r} is positional-only: only the message is given by position"
        if annotation is None:
            return (
                f"parameter {parameter.name!r} has no annotation: annotate it with {given.__name__} or a provided class"
            )
        if annotation in self._made:
            return (
                f"parameter {parameter.name!r}: a batch handler gets no {_name(annotation)}: it is made for one message"
            )
        known = ", ".join(sorted(map(_name, (given, *self._provided, *self._made))))
        return (
            f"parameter {parameter.name!r}: nothing provides {_name(annotation)}; provided: {known}; add it with "
            "Application.provide, in the function that 'setup' in messenger.yaml names"
        )


def _parameters(call: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(call).parameters.values())
    except ValueError:  # a builtin that does not tell; it takes the message
        return []


def _hints(call: Callable[..., Any]) -> dict[str, Any]:
    function = call if inspect.isroutine(call) else type(call).__call__
    try:
        return typing.get_type_hints(function)
    except Exception as error:
        raise definition_error(
            _defined(call), f"its annotations cannot be read ({error}): import their classes at module level"
        ) from error


def _defined(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return what is written in the source: the function, or the class of a handler object."""
    return call if inspect.isroutine(call) else type(call)


def _name(annotation: Any) -> str:
    if not inspect.isclass(annotation) or typing.get_origin(annotation) is not None:
        return str(annotation)
    return annotation.__qualname__ if annotation.__module__ == "builtins" else dotted_name(annotation)
