"""Permissions on the table that the transport needs, by PostgreSQL's own answers (has_…_privilege)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sqlalchemy import Connection, text

from messenger.checks.finding import Finding, Place
from messenger.checks.sql_table import Columns, lacking
from messenger.transports.sql.notified import has_trigger
from messenger.transports.sql.options import SqlOptions
from messenger.transports.sql.table import messages_table
from messenger.transports.sql.transport import POLL_SECONDS

_SEQUENCE = re.compile(r"nextval\('(.+)'::regclass\)")
_RIGHTS = text(
    "SELECT p FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS p"
    " WHERE NOT has_table_privilege(CAST(:table AS regclass), p)"
)
_OWNER = text(
    "SELECT quote_ident(pg_get_userbyid(relowner)) AS name, pg_has_role(relowner, 'USAGE') AS is_ours"
    " FROM pg_class WHERE oid = CAST(:table AS regclass)"
)
_SCHEMA = text(
    "SELECT quote_ident(current_schema()) AS name, has_schema_privilege(current_schema(), 'CREATE') AS may_create"
)


def check_rights(
    connection: Connection, where: str, options: SqlOptions, columns: Columns | None, user: str
) -> Iterator[Finding]:
    """columns: of the table, from table_columns. user: who is asked about, quoted where SQL needs that."""
    place = Place("postgresql-rights", where)
    if columns is None:
        if options.auto_setup:
            yield _may_create(connection, place, user)
        return
    table = connection.dialect.identifier_preparer.quote(options.table_name)
    problems = [*_check_grants(connection, place, table, columns, user)]
    if lacking(columns) and options.auto_setup:
        problems += _check_owner(connection, place, table, columns)
    if options.notify and not lacking(columns) and not has_trigger(connection, messages_table(options.table_name)):
        yield Place("postgresql-trigger", where).warn(
            f"no trigger tells waiting workers of a message: they look every {POLL_SECONDS:g} s instead",
            "messenger setup-transports, as the owner of the table",
        )
    yield from problems or [place.ok(f"user {user} may do all that it needs")]


def _may_create(connection: Connection, place: Place, user: str) -> Finding:
    schema = connection.execute(_SCHEMA).one()
    if schema.name is None:
        return place.fail(
            f"user {user} may use no schema, so no table can be found or created",
            f"GRANT USAGE, CREATE ON SCHEMA public TO {user}",
        )
    if not schema.may_create:
        return place.fail(
            f"user {user} may not create the table in schema {schema.name}",
            f"GRANT CREATE ON SCHEMA {schema.name} TO {user}, or messenger setup-transports by a user who may",
        )
    return place.ok(f"user {user} may create the table")


def _check_grants(connection: Connection, place: Place, table: str, columns: Columns, user: str) -> Iterator[Finding]:
    refused = list(connection.execute(_RIGHTS, {"table": table}).scalars())
    if refused:
        rights = ", ".join(refused)
        yield place.fail(f"user {user} may not {rights} there", f"GRANT {rights} ON {table} TO {user}")
    sequence = _SEQUENCE.search(str(columns.get("id", {}).get("default")))
    if sequence is None:
        return
    may = text("SELECT has_sequence_privilege(:name, 'USAGE, UPDATE')")
    if not connection.execute(may, {"name": sequence[1]}).scalar_one():
        yield place.fail(
            f"user {user} may not use the sequence {sequence[1]}, which numbers the messages",
            f"GRANT USAGE ON SEQUENCE {sequence[1]} TO {user}",
        )


def _check_owner(connection: Connection, place: Place, table: str, columns: Columns) -> Iterator[Finding]:
    owner = connection.execute(_OWNER, {"table": table}).one()
    if not owner.is_ours:
        yield place.fail(
            f"only {owner.name}, who owns the table, may add {' and '.join(lacking(columns))}",
            f"messenger setup-transports as {owner.name}",
        )
