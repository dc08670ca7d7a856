"""Makes the middleware that messenger.yaml names."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Mapping
from typing import Any, cast

from messenger.errors import ConfigError
from messenger.handler_arguments import HandlerArguments
from messenger.importing import import_name, make
from messenger.middleware.base import Middleware
from messenger.transports.base import TransportContext

# Middleware of this package that a bus has only when messenger.yaml names it. Each is imported then, and not before.
_BUILT_IN = {"doctrine_transaction": "messenger.middleware.sql_transaction:create"}


def make_named(
    item: str | Mapping[str, Any], where: str, context: TransportContext, arguments: HandlerArguments
) -> Middleware:
    """An item of a bus's `middleware`: a dotted class name or a built-in's name, alone or with a list of arguments.

    where: file and key, for the error. context, arguments: what built-in middleware gets from the application.

    Raises ConfigError, one line.
    """
    name, given = (item, []) if isinstance(item, str) else next(iter(item.items()))
    if not isinstance(given, list):
        raise ConfigError(f"{where}: found no list after {name!r}; allowed: {{{name!r}: [argument, …]}}")
    if name in _BUILT_IN:
        create = pkgutil.resolve_name(_BUILT_IN[name])
        return cast(Middleware, create(given, where, context, arguments))
    cls = import_name(name, where)
    handle = getattr(cls, "handle", None)
    if not inspect.isclass(cls) or not callable(handle):
        raise ConfigError(f"{where}: {name!r} is no middleware: it must be a class with handle(envelope, following)")
    if inspect.iscoroutinefunction(handle) or inspect.isgeneratorfunction(handle):
        raise ConfigError(f"{where}: {name!r} is no middleware: its handle is async or a generator; write a plain def")
    return cast(Middleware, make(cls, given, name, where))
