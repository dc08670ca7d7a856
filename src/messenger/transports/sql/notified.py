"""The SQL transport on PostgreSQL, with notifications of new messages.

A trigger sends NOTIFY for every row that becomes available: channel = table name, payload = queue name. It has the name
and the channel of the trigger of Symfony's transport, so each side wakes the other's workers. A notification only
wakes: the usual statement decides which message is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from sqlalchemy import Connection, Table, text
from sqlalchemy.exc import SQLAlchemyError

from messenger.envelope import AnyEnvelope
from messenger.polling import wait_readable
from messenger.transports.base import TransportContext, WaitCondition
from messenger.transports.sql.connection import Database
from messenger.transports.sql.options import SqlOptions
from messenger.transports.sql.table import create_or_complete
from messenger.transports.sql.transport import POLL_SECONDS, SqlTransport

_TRIGGER = "notify_trigger"
# A row that another worker is just taking looks free and is passed over: pause before asking again.
_LOCKED_SECONDS = 0.02


class NotifiedSqlTransport(SqlTransport):
    """Waits by LISTEN, on a connection of its own, instead of looking again and again. See WakingTransport."""

    def __init__(self, name: str, options: SqlOptions, context: TransportContext) -> None:
        """Create it; see SqlTransport."""
        super().__init__(name, options, context)
        self._notifications = Notifications(self._database, self._table.name)
        self._is_told = False

    def setup(self) -> None:
        """As without notifications, and the trigger."""

        def work(connection: Connection) -> None:
            create_or_complete(connection, self._table)
            create_trigger(connection, self._table)

        self._database.write(work)

    def begin_wait(self, seconds: float, limit: int = 1) -> WaitCondition:
        """LISTEN, then look when the next message is due: what comes after the look makes the descriptor readable."""
        self._notifications.forget()
        fd = self._notifications.listen()
        look, self._is_told = self._read(self._look)
        # A lease that another worker begins after this look is found by the next one.
        longest = min(seconds, self.options.check_delayed_interval, self.options.redeliver_timeout)
        if not self._is_told:
            longest = min(longest, POLL_SECONDS)
        return WaitCondition((fd,), longest if look is None else min(longest, max(_LOCKED_SECONDS, look)))

    def end_wait(self) -> Sequence[AnyEnvelope]:
        """Nothing is handed out meanwhile; the next look finds what has come."""
        self._notifications.forget()
        return []

    def close(self) -> None:
        """See SqlTransport."""
        self._notifications.close()
        super().close()

    def _wait(self, seconds: float, stop: Callable[[], bool]) -> None:
        waiting = self.begin_wait(seconds)
        wait_readable(waiting.fds, waiting.seconds, stop)
        self.end_wait()

    def _look(self, connection: Connection) -> tuple[float | None, bool]:
        """Return the seconds until the next message is due, and True when there is a trigger; setup creates it.

        Once the trigger was seen it is not searched again: it goes with its table, and a missing table is set up again.
        """
        look = connection.execute(self._sql.next_look(self._queues)).scalar_one()
        return look, self._is_told or has_trigger(connection, self._table)

    def _take(self, limit: int) -> list[AnyEnvelope]:
        self._notifications.forget()  # those a busy worker never waits for must not pile up at the server
        return super()._take(limit)


class Notifications:
    """The notifications of PostgreSQL on one channel. Not thread-safe."""

    def __init__(self, database: Database, channel: str) -> None:
        self._database = database
        self._channel = channel
        self._driver: psycopg.Connection[Any] | None = None

    def listen(self) -> int:
        """Start LISTEN.

        Returns:
            A file descriptor that becomes readable on a notification or when the connection is lost.

        Raises:
            TransportUnavailable: PostgreSQL cannot be reached.
        """
        if self._driver is None:
            with self._database.plain_errors():
                self._driver = self._open()
        return self._driver.fileno()

    def _open(self) -> psycopg.Connection[Any]:
        connection = self._database.connect()
        try:
            channel = connection.dialect.identifier_preparer.quote_identifier(self._channel)
            connection.exec_driver_sql(f"LISTEN {channel}")
            connection.commit()
        except SQLAlchemyError:
            connection.close()
            raise
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        connection.detach()  # else the pool would give a connection that listens to others
        return driver

    def forget(self) -> None:
        """Discard received notifications. A broken connection is closed; the next `listen` opens another."""
        if self._driver is None:
            return
        try:
            self._driver.pgconn.consume_input()
            while self._driver.pgconn.notifies() is not None:
                pass
        except psycopg.Error:
            self.close()
            return
        if self._driver.closed:
            self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._driver is not None:
            self._driver.close()
        self._driver = None


def has_trigger(connection: Connection, table: Table) -> bool:
    """Return True when the table has the trigger, which has the same name as Symfony's."""
    there = text("SELECT 1 FROM pg_trigger WHERE tgrelid = to_regclass(:table) AND tgname = :trigger")
    name = connection.dialect.identifier_preparer.quote_identifier(table.name)
    return connection.execute(there, {"table": name, "trigger": _TRIGGER}).first() is not None


def create_trigger(connection: Connection, table: Table) -> None:
    """Create the trigger unless there is one of its name. Symfony's, which also notifies when a row is taken, stays."""
    quote = connection.dialect.identifier_preparer.quote_identifier
    name, function = quote(table.name), quote(f"notify_{table.name}")
    if has_trigger(connection, table):
        return
    connection.exec_driver_sql(
        f"CREATE OR REPLACE FUNCTION {function}() RETURNS TRIGGER AS $$ BEGIN"
        f" PERFORM pg_notify('{table.name}', NEW.queue_name::text); RETURN NEW; END; $$ LANGUAGE plpgsql"
    )
    connection.exec_driver_sql(
        f"CREATE TRIGGER {_TRIGGER} AFTER INSERT OR UPDATE ON {name} FOR EACH ROW"
        f" WHEN (NEW.delivered_at IS NULL) EXECUTE FUNCTION {function}()"
    )
