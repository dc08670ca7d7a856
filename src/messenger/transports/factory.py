"""Which package makes the transport for a DSN. Each is imported when a DSN asks for it, and not before."""

from __future__ import annotations

import pkgutil
import re
from importlib.metadata import entry_points
from typing import cast

from messenger.config.model import TransportConfig
from messenger.errors import ConfigError
from messenger.transports.base import Transport, TransportContext, TransportFactory

_BUILT_IN = {
    "redis": "messenger.transports.redis:create",
    "rediss": "messenger.transports.redis:create",
    "valkey": "messenger.transports.redis:create",
    "valkeys": "messenger.transports.redis:create",
    "doctrine": "messenger.transports.sql:create",
    "in-memory": "messenger.transports.memory:create",
    "sync": "messenger.transports.sync:create",
}
ENTRY_POINT_GROUP = "messenger.transports"
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{0,29}):")


def create_transport(name: str, config: TransportConfig, context: TransportContext) -> Transport:
    """Create the transport for a DSN by its scheme.

    Third parties register a scheme as an entry point of the group ``messenger.transports``.

    Raises:
        ConfigError: The scheme is unknown, or the DSN cannot be used.
    """
    found = _SCHEME.match(config.dsn)
    if found is None:  # not shown: what stands there may be a password
        raise ConfigError(
            f"transports.{name}.dsn: found no scheme; allowed: {', '.join(_BUILT_IN)}, each followed by ://"
        )
    scheme = found[1]
    target = _BUILT_IN.get(scheme)
    if target is not None:
        factory = cast("TransportFactory", pkgutil.resolve_name(target))
    else:
        installed = {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
        if scheme not in installed:
            allowed = ", ".join((*_BUILT_IN, *sorted(installed)))
            raise ConfigError(f"transports.{name}.dsn: no transport has the scheme {scheme!r}; allowed: {allowed}")
        factory = installed[scheme].load()
    return factory(name, config.dsn, config.options, context)
