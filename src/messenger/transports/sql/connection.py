"""The one seam to a database server: run this work in one transaction, and say plainly what went wrong."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError

from messenger.errors import TransportError, TransportUnavailable
from messenger.transports.sql.sqlite import NO_LIMIT, DiskFull, make_room, sqlite_engine

T = TypeVar("T")

# The keepalives tell a connection that only listens that its server is gone.
_POSTGRESQL_ARGUMENTS = {
    "connect_timeout": 10,
    "tcp_user_timeout": 30_000,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "application_name": "messenger",
}
_ATTEMPTS = 3
# PostgreSQL, Appendix A: serialization_failure and deadlock_detected ask for the transaction to be run again.
_RUN_AGAIN = frozenset(("40001", "40P01"))
_MISSING = frozenset(("42P01", "42703"))  # undefined_table, undefined_column
_SQLITE_MISSING = ("no such table", "no such column", "has no column named")


class SchemaMissing(TransportError):
    """The table, or a column of it, is not there."""


class Database:
    """Connections to one database, opened at first use and again after they broke. Thread-safe."""

    def __init__(self, url: URL) -> None:
        """Create it; nothing connects yet.

        Args:
            url: SQLAlchemy URL of a SQLite file or a PostgreSQL database.
        """
        self.url = url
        self._pid = os.getpid()
        self._made = self._make_engine()

    @property
    def address(self) -> str:
        """Which database this is, for people. No secrets."""
        if self.url.get_backend_name() == "sqlite":
            return f"SQLite file {self.url.database}"
        query = self.url.query
        host = self.url.host or query.get("host") or "the local socket"
        port = self.url.port or query.get("port") or 5432
        user = self.url.username or query.get("user") or "unnamed"
        return f"PostgreSQL at {host}:{port} (database {self.url.database or user}, user {user})"

    @property
    def _engine(self) -> Engine:
        """The engine of this process. One that was inherited in a fork is kept, for to close it is the parent's."""
        if self._pid != os.getpid():
            self._inherited = self._made
            self._pid, self._made = os.getpid(), self._make_engine()
        return self._made

    def _make_engine(self) -> Engine:
        if self.url.get_backend_name() != "sqlite":
            return _postgresql_engine(self.url)
        return sqlite_engine(self.url)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run a function in one transaction, which is committed when this returns.

        Args:
            work: The function. It may run more than once.

        Raises:
            SchemaMissing: The table is missing or incomplete.
            TransportUnavailable: The database cannot be reached.
            TransportError: The database refused.
        """
        return self._run(work, self._engine)

    def settle(self, work: Callable[[Connection], T]) -> T:
        """Run `work` as `write` does, for a message that is there already: a full disk of SQLite does not hinder it."""
        try:
            return self.write(work)
        except DiskFull:
            make_room(self._engine, Path(self.url.database or ""))
            return self.write(work)

    def read(self, work: Callable[[Connection], T]) -> T:
        """The same for work that only reads; on SQLite it waits for no writer."""
        return self._run(work, self._engine.execution_options(read_only=True))

    def connect(self) -> Connection:
        """A connection for the caller, who closes it."""
        return self._engine.connect()

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    @contextmanager
    def plain_errors(self) -> Iterator[None]:
        """Inside, what the database refuses is raised as SchemaMissing, TransportUnavailable or TransportError."""
        try:
            yield
        except DBAPIError as error:
            raise self._translate(error) from error
        except SQLAlchemyError as error:
            raise TransportUnavailable(self._sentence(str(error))) from error
        except OSError as error:
            raise TransportUnavailable(self._sentence(f"{error.strerror}: {error.filename}")) from error

    def _run(self, work: Callable[[Connection], T], engine: Engine) -> T:
        with self.plain_errors():
            for _ in range(_ATTEMPTS - 1):
                try:
                    with engine.begin() as connection:
                        return work(connection)
                except DBAPIError as error:
                    if getattr(error.orig, "sqlstate", None) not in _RUN_AGAIN:
                        raise
            with engine.begin() as connection:
                return work(connection)

    def _translate(self, error: DBAPIError) -> TransportError:
        reason = str(error.orig)
        if _is_missing(error):
            return SchemaMissing(self._sentence(reason))
        if getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            return DiskFull(self._sentence(reason))
        # SQLITE_ERROR (1) is a statement that is wrong; the other codes are locks, disks and permissions.
        wrong = getattr(error.orig, "sqlite_errorcode", None) == 1
        if error.connection_invalidated or (isinstance(error, OperationalError | InterfaceError) and not wrong):
            return TransportUnavailable(self._sentence(reason))
        return TransportError(self._sentence(reason))

    def _sentence(self, reason: str) -> str:
        """One line. No driver is known to repeat a password, and none shall be trusted not to."""
        line = f"{self.address}: {' '.join(reason.split())}"
        for secret in (self.url.password, self.url.query.get("password"), self.url.query.get("sslpassword")):
            if isinstance(secret, str) and secret:
                line = line.replace(secret, "***")
        return line


def _is_missing(error: DBAPIError) -> bool:
    if getattr(error.orig, "sqlstate", None) in _MISSING:
        return True
    return isinstance(error, OperationalError) and any(part in str(error.orig) for part in _SQLITE_MISSING)


def _postgresql_engine(url: URL) -> Engine:
    arguments = {name: value for name, value in _POSTGRESQL_ARGUMENTS.items() if name not in url.query}
    # hide_parameters: message bodies stay out of error texts. pool_pre_ping: a server that came back is just used.
    return create_engine(url, connect_args=arguments, hide_parameters=True, pool_pre_ping=True, max_overflow=NO_LIMIT)
