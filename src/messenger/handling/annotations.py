"""The message class of a handler, read from the annotation of its first parameter."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any

from messenger.errors import HandlerDefinitionError


def annotated_types(thing: Callable[..., Any], *, is_batch: bool) -> tuple[type, ...]:
    """Return the classes that the annotation of the first parameter names.

    Args:
        thing: The handler: a function or a class.
        is_batch: True when the annotation is a list of messages.

    Raises:
        HandlerDefinitionError: The annotation is missing or unusable.
    """
    function = thing.__call__ if inspect.isclass(thing) else thing
    parameters = list(inspect.signature(function).parameters.values()) if callable(function) else []
    if inspect.isclass(thing):
        if not inspect.isfunction(function):
            raise definition_error(thing, "the class has no __call__ method")
        parameters = parameters[1:]
    if not parameters:
        raise definition_error(thing, "it takes no message: give it a parameter annotated with the message class")
    first = parameters[0]
    if first.annotation is inspect.Parameter.empty:
        raise definition_error(thing, f"parameter {first.name!r} has no annotation: write {first.name}: YourMessage")
    try:
        annotation = typing.get_type_hints(function)[first.name]
    except Exception as error:
        raise definition_error(
            thing,
            f"the annotation of {first.name!r} cannot be read ({error}): import the class at module level",
        ) from error
    if is_batch:
        annotation = _item_type(thing, first.name, annotation)
    return tuple(_message_type(thing, member) for member in _union_members(annotation))


def check_is_found(thing: Callable[..., Any]) -> None:
    """Check that a handler has a name in its module, where handlers are collected.

    Raises:
        HandlerDefinitionError: It has none.
    """
    name = getattr(thing, "__qualname__", None)
    if name is None or inspect.ismethod(thing):
        raise definition_error(
            thing, f"it is a {type(thing).__name__} object; allowed: a function, or a class with __call__"
        )
    if "." in name.rsplit("<locals>.", 1)[-1]:
        raise definition_error(thing, "it stands inside a class, where no handler is looked for: put it outside")


def check_takes_message(thing: Callable[..., Any], call: Callable[..., Any]) -> None:
    """Check that a callable accepts a message as its only positional argument.

    Args:
        thing: The handler, for the error.
        call: What is called, made from the handler.

    Raises:
        HandlerDefinitionError: It does not.
    """
    try:
        parameters = list(inspect.signature(call).parameters.values())
    except ValueError:  # a builtin without a signature
        return
    if not parameters:
        raise definition_error(thing, "it takes no message: give it a parameter annotated with the message class")
    first = parameters[0]
    if first.kind in (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD):
        raise definition_error(
            thing,
            f"parameter {first.name!r} is taken by name only; the message is given by position: put it first",
        )


def _item_type(thing: Callable[..., Any], name: str, annotation: Any) -> Any:
    if typing.get_origin(annotation) not in (list, Sequence) or len(typing.get_args(annotation)) != 1:
        raise definition_error(thing, f"a batch handler takes a list of messages: write {name}: list[YourMessage]")
    return typing.get_args(annotation)[0]


def _union_members(annotation: Any) -> tuple[Any, ...]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return typing.get_args(annotation)
    return (annotation,)


def _message_type(thing: Callable[..., Any], member: Any) -> type:
    origin = typing.get_origin(member) or member
    if not inspect.isclass(origin) or origin.__module__ == "builtins" or origin is Any:
        raise definition_error(thing, f"{member!r} cannot be a message: annotate it with a message class")
    if getattr(origin, "_is_protocol", False) and not is_protocol(origin):
        raise definition_error(thing, f"no message can be told to fit {member!r}: mark it @runtime_checkable")
    return origin


def definition_error(thing: Callable[..., Any], why: str) -> HandlerDefinitionError:
    """Return the error for an unusable handler: file and line of its definition, its name, and the reason."""
    target = inspect.unwrap(thing)
    try:
        where = f"{inspect.getsourcefile(target)}:{inspect.getsourcelines(target)[1]}"
    except (OSError, TypeError):
        where = getattr(target, "__module__", "?")
    return HandlerDefinitionError(f"{where}: handler {getattr(thing, '__qualname__', thing)!r}: {why}")


def is_protocol(thing: type | str) -> typing.TypeGuard[type]:
    """Return True for a runtime-checkable protocol, which objects match whatever their class."""
    return isinstance(thing, type) and bool(getattr(thing, "_is_runtime_protocol", False))
