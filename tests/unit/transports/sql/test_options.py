"""doctrine:// DSNs, their options, and the database URLs behind them. Nothing is connected to here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from messenger.errors import ConfigError
from messenger.transports.sql.connection import Database
from messenger.transports.sql.options import SqlOptions, parse_doctrine_dsn

STATE = Path("/srv/app/shared/var")
SECRET = "s3cr3t"


def parse(
    dsn: str, options: Mapping[str, Any] | None = None, connections: Mapping[str, str] | None = None
) -> SqlOptions:
    return parse_doctrine_dsn("failed", dsn, options or {}, connections or {}, STATE)


def url_of(text: str) -> str:
    return parse("doctrine://main", connections={"main": text}).url.render_as_string(hide_password=False)


def test_the_seed_s_dsn_is_a_file_in_the_state_directory() -> None:
    options = parse("doctrine://default?queue_name=failed")
    assert options.url.render_as_string() == "sqlite+pysqlite:////srv/app/shared/var/messenger.db"
    assert (options.table_name, options.queue_name) == ("messenger_messages", "failed")
    assert (options.redeliver_timeout, options.auto_setup) == (60.0, True)


@pytest.mark.parametrize(
    ("query", "notify", "seconds"),
    [("", True, 60.0), ("?use_notify=false", False, 60.0), ("?check_delayed_interval=1500", True, 1.5)],
)
def test_postgresql_tells_unless_switched_off(query: str, notify: bool, seconds: float) -> None:
    options = parse(f"doctrine://main{query}", connections={"main": "postgresql://h/db"})
    assert (options.notify, options.check_delayed_interval) == (notify, seconds)


def test_sqlite_tells_nobody() -> None:
    assert not parse("doctrine://default?use_notify=true").notify


def test_a_configured_default_connection_is_used() -> None:
    options = parse("doctrine://default", connections={"default": "sqlite:////elsewhere/x.db"})
    assert options.url.database == "/elsewhere/x.db"


def test_the_query_beats_the_options() -> None:
    given = {"queue_name": "a", "table_name": "jobs", "redeliver_timeout": 5, "auto_setup": False}
    options = parse("doctrine://default?queue_name=b&redeliver_timeout=0.5&auto_setup=yes", given)
    assert (options.queue_name, options.table_name) == ("b", "jobs")
    assert (options.redeliver_timeout, options.auto_setup) == (0.5, True)


@pytest.mark.parametrize(
    ("dsn", "expected"),
    [
        ("doctrine://default?queu_name=x", r"unknown option 'queu_name'; allowed: auto_setup, check_delayed_interval"),
        ("doctrine://default?use_notify=maybe", r"use_notify: found 'maybe'; allowed: true or false"),
        ("doctrine://default?check_delayed_interval=soon", r"check_delayed_interval: found 'soon'; allowed"),
        ("doctrine://default?redeliver_timeout=0", r"redeliver_timeout: found 0.0; allowed: seconds, more than 0"),
        ("doctrine://default?redeliver_timeout=nan", r"redeliver_timeout: found 'nan'; allowed"),
        ("doctrine://default?redeliver_timeout=inf", r"redeliver_timeout: found 'inf'; allowed"),
        ("doctrine://default?redeliver_timeout=soon", r"redeliver_timeout: found 'soon'; allowed: a number"),
        ("doctrine://default?redeliver_timeout=-1", r"redeliver_timeout: found '-1'; allowed: a number of at least 0"),
        ("doctrine://default?auto_setup=maybe", r"auto_setup: found 'maybe'; allowed: true or false"),
        ("doctrine://default?table_name=a;drop", r"table_name: found 'a;drop'; allowed: letters"),
        ("doctrine://default?table_name=", r"table_name: found ''; allowed: letters"),
        ("doctrine://default?queue_name=", r"queue_name: found ''; allowed: 1 to 190"),
        ("doctrine://default?queue_name=" + "x" * 191, r"allowed: 1 to 190 characters"),
        ("doctrine://", r"allowed: doctrine://CONNECTION"),
        ("doctrine://default/table", r"allowed: doctrine://CONNECTION"),
        ("doctrine://user:s3cr3t@default", r"allowed: doctrine://CONNECTION"),
        ("doctrine://default:5432", r"allowed: doctrine://CONNECTION"),
        ("postgresql://u:s3cr3t@db/x", r"allowed: doctrine://CONNECTION"),
        ("doctrine://reports", r"no database connection 'reports'; allowed: default, main"),
    ],
)
def test_a_bad_dsn_is_explained_in_one_line(dsn: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected) as caught:
        parse(dsn, connections={"main": f"postgresql://u:{SECRET}@db/x"})
    assert str(caught.value).startswith("transports.failed")
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)


def test_nothing_after_an_option_is_its_default() -> None:
    written = dict.fromkeys(("redeliver_timeout", "queue_name", "auto_setup", "max_message_bytes"))
    assert parse("doctrine://default", written) == parse("doctrine://default")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("postgresql://u:p@h:5432/db?serverVersion=16&charset=utf8", "postgresql+psycopg://u:p@h:5432/db"),
        ("postgres://u:p@h/db", "postgresql+psycopg://u:p@h/db"),
        ("pgsql://u:p%40%2F@h/db", "postgresql+psycopg://u:p%40%2F@h/db"),
        ("pdo_pgsql://h/db", "postgresql+psycopg://h/db"),
        ("postgresql+psycopg2://h/db", "postgresql+psycopg://h/db"),
        ("postgresql://h/db?sslmode=require&charset=utf8", "postgresql+psycopg://h/db?sslmode=require"),
        ("sqlite:////var/lib/x.db", "sqlite+pysqlite:////var/lib/x.db"),
        ("sqlite:///var/x.db", "sqlite+pysqlite:////srv/app/shared/var/var/x.db"),
        ("pdo_sqlite:////x.db?charset=utf8", "sqlite+pysqlite:////x.db"),
    ],
)
def test_database_urls_of_symfony_and_sqlalchemy(given: str, expected: str) -> None:
    assert url_of(given) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("mysql://u:s3cr3t@h/db", "mysql is not supported; allowed: postgresql, sqlite"),
        ("mariadb://u:s3cr3t@h/db", "mariadb is not supported"),
        ("no url s3cr3t", "not a database URL"),
        ("postgresql://u:x:s3cr3t@h:port/db", "not a database URL"),
        ("", "not a database URL"),
        ("postgresql://u:s3cr3t@h/db?sslmode=\udcff", "not a database URL"),
        ("postgresql://u:s3cr3t@h/db?sslmod=require", "unknown parameter 'sslmod'; allowed: the parameters of libpq"),
        ("sqlite://", "SQLite needs a file"),
        ("sqlite:///:memory:", "in-memory://"),
        ("sqlite:///file:x?mode=memory", "SQLite takes no parameters; found: 'mode'"),
        ("sqlite:////x.db?mode=ro", "SQLite takes no parameters; found: 'mode'"),
        ("sqlite:///x.db?u:s3cr3t@h=1", "SQLite takes no parameters; found: after '?'"),
        ("sqlite://relative.db", "SQLite needs a file"),
    ],
)
def test_a_bad_database_url_is_explained_in_one_line(given: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected) as caught:
        url_of(given)
    assert str(caught.value).startswith("connection 'main'")
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)


def test_connection_names_are_found_whatever_their_case() -> None:
    assert parse("doctrine://Reports", connections={"reportS": "sqlite:////x.db"}).url.database == "/x.db"


def test_the_address_of_a_database_names_everything_but_the_password() -> None:
    options = parse("doctrine://main", connections={"main": f"postgresql://app:{SECRET}@db.example:6432/orders"})
    database = Database(options.url)
    assert database.address == "PostgreSQL at db.example:6432 (database orders, user app)"
    assert SECRET not in repr(options)
