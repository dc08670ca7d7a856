"""Storing of a message within a transaction that is begun, and committed or rolled back, elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, Insert, Table

from messenger.errors import TransportError
from messenger.messages import dotted_name
from messenger.transports.sql.connection import Database, SchemaMissing
from messenger.transports.sql.table import create_or_complete


class JoinedInsert:
    """Inserts the rows of one transport within transactions of the application."""

    def __init__(self, name: str, database: Database, table: Table, setup: Callable[[], None] | None) -> None:
        """Create it.

        Args:
            name: Name of the transport.
            database: Its database.
            table: Its table.
            setup: Creates the table, on its own connection; None when `auto_setup` is off.
        """
        self._name = name
        self._database = database
        self._table = table
        self._setup = setup
        self._is_set_up = False

    def check(self, connection: object) -> Connection:
        """Check that a connection of the application leads to the database of the transport, as far as it is known.

        A message that is stored where no worker looks would be lost.

        Raises:
            TransportError: It leads to another database.
        """
        if not isinstance(connection, Connection):
            raise TransportError(
                f"a SqlConnectionStamp holds a {dotted_name(type(connection))}; allowed: a sqlalchemy.Connection; of "
                "an ORM session that is session.connection()"
            )
        backend = self._database.url.get_backend_name()
        found = f"a {connection.dialect.name} database"
        if connection.dialect.name == backend:
            if backend != "sqlite":
                return connection
            with self._database.plain_errors():
                file = connection.exec_driver_sql("SELECT file FROM pragma_database_list WHERE name = 'main'").scalar()
            if file and Path(file).resolve() == Path(self._database.url.database or "").resolve():
                return connection
            found = f"the SQLite file {file}" if file else "a SQLite database in memory"
        raise TransportError(
            f"transport {self._name!r} stores in {self._database.address}, and the connection of a SqlConnectionStamp "
            f"is to {found}; nothing was sent"
        )

    def run(self, connection: Connection, statement: Insert) -> int:
        """Insert a row, which exists once the transaction is committed.

        PostgreSQL ends a transaction at its first error, so the table is checked before. SQLite does not, and has one
        writer, which is this transaction: the table is created within it.

        Returns:
            The id of the row.

        Raises:
            TransportUnavailable: The database cannot be reached.
            TransportError: The database refused.
        """
        on_sqlite = connection.dialect.name == "sqlite"
        if self._setup is not None and not on_sqlite and not self._is_set_up:
            self._setup()
            self._is_set_up = True
        try:
            return self._insert(connection, statement)
        except SchemaMissing as error:
            if self._setup is None or not on_sqlite:
                raise TransportError(
                    f"{error}; transport {self._name!r} was given a connection to a database without its table: "
                    "is it the right database? `messenger setup-transports` creates the table"
                ) from error
        with self._database.plain_errors():
            create_or_complete(connection, self._table)
        return self._insert(connection, statement)

    def _insert(self, connection: Connection, statement: Insert) -> int:
        with self._database.plain_errors():
            row_id: int = connection.execute(statement).scalar_one()
            return row_id
