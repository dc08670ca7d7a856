"""The checks of one SQL transport: its SQLite file or its PostgreSQL server, and its table."""

from __future__ import annotations

from collections.abc import Iterator

from messenger.checks.finding import Finding
from messenger.transports.sql.options import SqlOptions


def check_sql_transport(name: str, options: SqlOptions) -> Iterator[Finding]:
    """Check connectivity, permissions and the table of a SQL transport."""
    where = f"transport {name} (table {options.table_name})"
    if options.url.get_backend_name() == "sqlite":
        from messenger.checks.sqlite import check_sqlite

        yield from check_sqlite(where, options)
        return
    from messenger.checks.postgresql import check_postgresql

    yield from check_postgresql(where, options)
