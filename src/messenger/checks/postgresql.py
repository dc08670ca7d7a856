"""The checks of one transport on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import URL, Connection, func, select

from messenger.checks.clock import check_clock
from messenger.checks.finding import Finding
from messenger.checks.postgresql_notify import check_notify
from messenger.checks.postgresql_reach import failed, reached
from messenger.checks.postgresql_rights import check_rights
from messenger.checks.postgresql_server import ServerFacts, check_server, read_facts
from messenger.checks.sql_table import check_leases, check_table, table_columns
from messenger.errors import TransportError
from messenger.transports.sql.connection import Database
from messenger.transports.sql.options import SqlOptions

_SECONDS = "3"


def check_postgresql(where: str, options: SqlOptions) -> Iterator[Finding]:
    """Check the server, then the table and the permissions on it.

    Args:
        where: Names the transport and the table.
        options: The options of the transport.
    """
    database = Database(_impatient(options.url))
    try:
        try:
            facts = database.read(read_facts)
        except TransportError as error:
            yield failed(database.address, options.url, str(error))
            return
        yield reached(database.address, facts)
        yield check_clock(database.address, lambda: database.read(_server_time))
        yield from check_server(database.address, facts)
        yield from database.read(lambda connection: _check_table(connection, where, options, facts))
        if options.notify and not facts.read_only:
            yield check_notify(database)
    finally:
        database.close()


def _check_table(connection: Connection, where: str, options: SqlOptions, facts: ServerFacts) -> list[Finding]:
    columns = table_columns(connection, options.table_name)
    findings = [*check_table(connection, where, options, columns)]
    findings += check_rights(connection, where, options, columns, facts.user)
    findings += check_leases(connection, where, options, columns, findings)
    return findings


def _server_time(connection: Connection) -> float:
    return float(connection.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one())


def _impatient(url: URL) -> URL:
    """The same server, given up on after a few seconds."""
    return url if "connect_timeout" in url.query else url.update_query_dict({"connect_timeout": _SECONDS})
