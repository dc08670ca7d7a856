"""The SQL transport: a table on SQLite or PostgreSQL, shared with Symfony's Doctrine transport when wished."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from messenger.transports.base import Transport, TransportContext
from messenger.transports.sql.options import parse_doctrine_dsn

__all__ = ["create"]


def create(name: str, dsn: str, options: Mapping[str, Any], context: TransportContext) -> Transport:
    """Create a SQL transport for ``doctrine://<connection>[?option=value]``. It connects at first use.

    Raises:
        ConfigError: The DSN or an option cannot be used.
    """
    parsed = parse_doctrine_dsn(name, dsn, options, context.connections, context.state_dir)
    if parsed.notify:
        from messenger.transports.sql.notified import NotifiedSqlTransport

        return NotifiedSqlTransport(name, parsed, context)
    from messenger.transports.sql.transport import SqlTransport

    return SqlTransport(name, parsed, context)
