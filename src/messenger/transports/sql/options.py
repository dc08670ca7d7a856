"""What a ``doctrine://`` DSN, its options, and the database connection it names say."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from messenger.config.dsn import parse_dsn, read_options
from messenger.errors import ConfigError

DEFAULT_CONNECTION = "default"
DEFAULT_FILE = "messenger.db"

_DEFAULTS: dict[str, Any] = {
    "table_name": "messenger_messages",
    "queue_name": "default",
    # Symfony waits 3600 s; a minute is safe here because the lease is renewed while a handler runs.
    "redeliver_timeout": 60.0,
    "max_message_bytes": 0,
    "auto_setup": True,
    "use_notify": True,
    "check_delayed_interval": 60_000,
}
# The names Symfony's DATABASE_URL, Doctrine's drivers and SQLAlchemy have for the two databases.
_POSTGRESQL = frozenset(
    ("postgresql", "postgres", "pgsql", "pdo_pgsql", "pdo-pgsql", "postgresql+psycopg", "postgresql+psycopg2")
)
_SQLITE = frozenset(("sqlite", "sqlite3", "pdo_sqlite", "pdo-sqlite", "sqlite+pysqlite"))
_DOCTRINE_ONLY = frozenset(("serverVersion", "charset"))
_TABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,49}")
_MAX_QUEUE_NAME = 190


@dataclass(frozen=True, slots=True)
class SqlOptions:
    """The options of a SQL transport.

    Attributes:
        url: URL of the database. Left out of the repr, since its query may have a password.
        redeliver_timeout: Seconds without a renewal after which another worker may take over a message. Where PHP
            workers share the queue it must be the same for both, and longer than PHP's longest handler.
        max_message_bytes: Limit for body and headers of a new message; 0 means no limit.
        auto_setup: Create or complete the table when it is missing.
        notify: Wait by LISTEN instead of polling; PostgreSQL only.
        check_delayed_interval: Seconds after which such a wait polls nevertheless.
    """

    url: URL = field(repr=False)
    table_name: str
    queue_name: str
    redeliver_timeout: float
    max_message_bytes: int
    auto_setup: bool
    notify: bool
    check_delayed_interval: float


def parse_doctrine_dsn(
    transport: str, text: str, options: Mapping[str, Any], connections: Mapping[str, str], state_dir: Path
) -> SqlOptions:
    """Read the options of a DSN and of `options:` in messenger.yaml. Query beats options beats defaults.

    Args:
        transport: Name of the transport, for errors.
        text: The DSN.
        options: The options of messenger.yaml.
        connections: Database URLs by connection name; `default` without one is a SQLite file in `state_dir`.
        state_dir: Directory for SQLite files.

    Raises:
        ConfigError: An option is unknown or its value is not allowed; the error lists what is, and never a password.
    """
    dsn = parse_dsn(transport, text)
    bare = dsn.host and dsn.path in ("", "/") and dsn.port is None and dsn.user is None
    if dsn.scheme != "doctrine" or not bare:
        raise ConfigError(
            f"transports.{transport}.dsn: allowed: doctrine://CONNECTION or doctrine://CONNECTION?option=value, "
            "where CONNECTION is the name of a database connection"
        )
    values = read_options(transport, _DEFAULTS, options, dsn.query)
    _check(transport, values)
    url = find_url(f"transports.{transport}.dsn", dsn.host, connections, state_dir)
    interval = values.pop("check_delayed_interval") or 0  # 0 means in Symfony that it never waits
    notify = values.pop("use_notify") and interval > 0 and url.get_backend_name() == "postgresql"
    return SqlOptions(url=url, notify=notify, check_delayed_interval=interval / 1000, **values)


def _check(transport: str, values: Mapping[str, Any]) -> None:
    if not _TABLE_NAME.fullmatch(values["table_name"] or ""):
        raise ConfigError(
            f"transports.{transport}: option table_name: found {values['table_name']!r}; "
            "allowed: letters, digits and underscores, at most 50"
        )
    if not 1 <= len(values["queue_name"] or "") <= _MAX_QUEUE_NAME:
        raise ConfigError(
            f"transports.{transport}: option queue_name: found {values['queue_name']!r}; "
            f"allowed: 1 to {_MAX_QUEUE_NAME} characters"
        )
    timeout = values["redeliver_timeout"]
    if not 0 < timeout < math.inf:
        raise ConfigError(
            f"transports.{transport}: option redeliver_timeout: found {timeout}; allowed: seconds, more than 0"
        )


def find_url(where: str, name: str, connections: Mapping[str, str], state_dir: Path) -> URL:
    """Return the URL of a database connection, with the driver used here.

    Args:
        where: What names the connection, for the error.
        name: Name of the connection.
        connections: Database URLs by connection name.
        state_dir: Directory for SQLite files.

    Raises:
        ConfigError: There is no such connection; the error never shows a password.
    """
    # A host name in a DSN is read in lower case, so case does not tell connections apart.
    for known, text in connections.items():
        if known.lower() == name.lower():
            return read_url(f"connection {known!r}", text, state_dir)
    if name == DEFAULT_CONNECTION:
        return URL.create("sqlite+pysqlite", database=str(state_dir / DEFAULT_FILE))
    known_names = ", ".join(sorted({DEFAULT_CONNECTION, *connections}))
    raise ConfigError(f"{where}: no database connection {name!r}; allowed: {known_names}")


def read_url(where: str, text: str, state_dir: Path) -> URL:
    """Return a database's URL with the driver used here.

    Args:
        where: Where it is written, for the error.
        text: The URL.
        state_dir: Directory for SQLite files.

    Raises:
        ConfigError: It cannot be used. The error does not show it, since it has a password.
    """
    try:
        text.encode()  # a surrogate, from a byte that is no UTF-8, is a ValueError here and trouble later on
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ConfigError(
            f"{where}: not a database URL; a password with special characters must be "
            "percent-encoded; allowed: postgresql://user:password@host:port/database, sqlite:////path/to/file"
        ) from None
    url = url.difference_update_query(_DOCTRINE_ONLY)
    if url.drivername in _POSTGRESQL:
        return _postgresql(where, url.set(drivername="postgresql+psycopg"))
    if url.drivername in _SQLITE:
        return _sqlite(where, url.set(drivername="sqlite+pysqlite"), state_dir)
    raise ConfigError(f"{where}: {url.drivername} is not supported; allowed: postgresql, sqlite")


def _postgresql(where: str, url: URL) -> URL:
    try:
        import psycopg.conninfo
    except ImportError as error:
        why = " ".join(str(error).split())
        raise ConfigError(
            f"{where}: PostgreSQL needs a driver: pip install 'messenger-kit[postgresql]' ({why})"
        ) from None
    for key, value in url.query.items():
        try:
            psycopg.conninfo.make_conninfo("", **{key: str(value)})
        except psycopg.Error:
            raise ConfigError(
                f"{where}: unknown parameter {_shown(key)}; allowed: the parameters of libpq, "
                "for example sslmode, sslrootcert, connect_timeout, application_name"
            ) from None
    return url


def _sqlite(where: str, url: URL, state_dir: Path) -> URL:
    if url.query:
        found = ", ".join(map(_shown, url.query))
        raise ConfigError(f"{where}: SQLite takes no parameters; found: {found}")
    if url.host or not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise ConfigError(
            f"{where}: SQLite needs a file; allowed: sqlite:////absolute/path, or sqlite:///path "
            "below the state directory; for messages in memory use the DSN in-memory://"
        )
    # A relative path must not mean another file in every release's working directory.
    return url.set(database=str(state_dir / url.database))


def _shown(parameter: str) -> str:
    """The name of a URL's parameter, for an error, unless it may be a misplaced password."""
    return repr(parameter) if re.fullmatch("[a-z_]{1,40}", parameter) else "after '?'"
