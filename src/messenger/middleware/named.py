"""Makes the middleware that messenger.yaml names."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from messenger.config.importing import import_name, make
from messenger.errors import ConfigError
from messenger.handling.arguments import HandlerArguments
from messenger.middleware.base import Middleware
from messenger.transports.base import TransportContext

_PREFIX = "messenger.middleware."  # Symfony takes the names of its services as well
# Middleware of this package that a bus has only when messenger.yaml names it. Each is imported then, and not before.
_BUILT_IN = {"doctrine_transaction": "messenger.middleware.sql_transaction:create"}
# Symfony's steps that have nothing to do here: a profiler's, one for AMQP, one for an interface of PHP messages.
_NOTHING_TO_DO = ("traceable", "reject_redelivered_message_middleware", "add_default_stamps_middleware")
# Symfony's steps that have no counterpart, and what serves instead.
_INSTEAD = {
    "validation": "let the message class check itself: raise in its __post_init__, or make it a pydantic model",
    "router_context": "nothing here makes URLs from routes",
    "doctrine_ping_connection": "name the errors of a lost connection in infrastructure_errors, and test the "
    "connection in a reset hook (Application.on_reset)",
    "doctrine_close_connection": "close the connection in a reset hook (Application.on_reset)",
    "doctrine_open_transaction_logger": "doctrine_transaction ends its transaction itself",
}
MakeStep = Callable[[Sequence[Any]], Middleware]


def make_named(
    item: str | Mapping[str, Any],
    where: str,
    context: TransportContext,
    arguments: HandlerArguments,
    chain: Mapping[str, MakeStep],
    *,
    is_complete: bool,
) -> Middleware | None:
    """Create an item of a bus's `middleware`: a dotted class name or Symfony's name of a step, perhaps with arguments.

    Args:
        item: The name, or a map of it to a list of arguments.
        where: File and key, for the error.
        context: What built-in middleware gets from the application.
        arguments: What built-in middleware gets from the application.
        chain: Factories of the steps of the built-in chain, by Symfony's names.
        is_complete: True when the bus has that chain anyway.

    Returns:
        The step; None for a step of Symfony that does nothing here.

    Raises:
        ConfigError: The step cannot be created.
    """
    name, given = (item, None) if isinstance(item, str) else next(iter(item.items()))
    given = [] if given is None else given
    if not isinstance(given, list):
        raise ConfigError(f"{where}: found no list after {name!r}; allowed: {{{name!r}: [argument, …]}}")
    step = name.removeprefix(_PREFIX)
    if step in _INSTEAD:
        raise ConfigError(f"{where}: found {name!r}, which is Symfony's alone; take it away: {_INSTEAD[step]}")
    if step in _NOTHING_TO_DO:
        return None
    if step in chain:
        if is_complete:
            raise ConfigError(f"{where}: the bus has {name!r} already; take it away, or set default_middleware: false")
        if given and not _fits(step, given):
            raise ConfigError(f"{where}: {name!r} takes no such arguments; take them away")
        return chain[step](given)
    if step in _BUILT_IN:
        create = pkgutil.resolve_name(_BUILT_IN[step])
        return cast(Middleware, create(given, where, context, arguments))
    cls = import_name(name, where)
    handle = getattr(cls, "handle", None)
    if not inspect.isclass(cls) or not callable(handle):
        raise ConfigError(f"{where}: {name!r} is no middleware: it must be a class with handle(envelope, following)")
    if inspect.iscoroutinefunction(handle) or inspect.isgeneratorfunction(handle):
        raise ConfigError(f"{where}: {name!r} is no middleware: its handle is async or a generator; write a plain def")
    return cast(Middleware, make(cls, given, name, where))


def _fits(step: str, given: Sequence[Any]) -> bool:
    """Return True when Symfony has these arguments: a bus's name, and a flag for messages without handlers."""
    kind = {"add_bus_name_stamp_middleware": str, "handle_message": bool}.get(step)
    return kind is not None and len(given) == 1 and isinstance(given[0], kind)
