"""messenger check on PostgreSQL: reached, writable, rights, table, NOTIFY. Doing what it says to change helps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import make_url

from messenger.checks.finding import Finding
from messenger.checks.postgresql_reach import failed
from messenger.checks.postgresql_server import ServerFacts, check_server
from tests.integration.checks.deaf_proxy import DeafProxy
from tests.integration.checks.stores import FAILED, TAKEN_BY_PHP, bad, check_what_php_holds, look, transport
from tests.support.servers import POSTGRES_PASSWORD, PostgresServer, free_port, wait_until

PASSWORD = "pass-word-of-the-role"
# As Symfony's transport makes it, without its index.
SYMFONY_COLUMNS = {
    "id": "BIGSERIAL PRIMARY KEY",
    "body": "TEXT NOT NULL",
    "headers": "TEXT NOT NULL",
    "queue_name": "VARCHAR(190) NOT NULL",
    "created_at": "TIMESTAMP(0) NOT NULL",
    "available_at": "TIMESTAMP(0) NOT NULL",
    "delivered_at": "TIMESTAMP(0)",
}
FACTS = ServerFacts(
    version="16.1", major=16, user="app", standby=False, read_only=False, fsync=True, synchronous_commit="on", tls=True
)


@pytest.fixture
def app(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL for a role that may connect, and nothing else yet."""
    postgres_server.execute(f"CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'")
    yield f"postgresql://app:{PASSWORD}@127.0.0.1:{postgres_server.port}/messenger"
    postgres_server.execute("DROP OWNED BY app")
    postgres_server.execute("DROP ROLE app")


def create(server: PostgresServer, **other: str) -> None:
    """A table with Symfony's columns, some of them other ones; those that are empty are left out."""
    columns = ", ".join(f"{name} {kind}" for name, kind in (SYMFONY_COLUMNS | other).items() if kind)
    server.execute(f"CREATE TABLE messenger_messages ({columns})")


def set_up(server: PostgresServer, directory: Path, dsn: str = FAILED) -> None:
    store = transport(server.url, directory, dsn)
    store.setup()
    store.close()


def apply(server: PostgresServer, finding: Finding) -> None:
    """Do what it says, as a superuser."""
    assert finding.change is not None
    server.execute(finding.change.split(", or ")[0])


def test_a_database_that_is_well(postgres_server: PostgresServer, tmp_path: Path) -> None:
    findings = look(postgres_server.url, tmp_path)
    assert bad(findings).keys() == {"postgresql-persistence"}  # of the tests' server: fsync is off
    assert bad(findings)["postgresql-persistence"].found == "fsync is off: a power cut may destroy the whole database"
    found = {finding.check: finding.found for finding in findings}
    assert found["sql-table"] == "it is not there yet; the first use creates it"
    assert found["postgresql-rights"] == "user messenger may create the table"
    assert found["postgresql-notify"] == "LISTEN and NOTIFY work"
    assert postgres_server.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []
    set_up(postgres_server, tmp_path)
    findings = look(postgres_server.url, tmp_path)
    assert bad(findings).keys() == {"postgresql-persistence"}
    found = {finding.check: finding.found for finding in findings}
    assert found["sql-table"] == "it has all its columns"
    assert found["postgresql-rights"] == "user messenger may do all that it needs"
    assert "answers (without TLS)" in found["postgresql-reach"]
    assert found["clock"] == "its clock agrees with this host's"
    assert all(POSTGRES_PASSWORD not in str(finding) for finding in findings)


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("postgresql://messenger:wrong-secret@127.0.0.1:PORT/messenger", "correct user and password"),
        ("postgresql://messenger@127.0.0.1:PORT/messenger", "correct user and password"),
        ("postgresql://messenger:GOOD@127.0.0.1:PORT/nowhere", "correct the database in the connection's URL"),
        ("postgresql://messenger:GOOD@127.0.0.1:FREE/messenger", "start PostgreSQL there, or correct host and port"),
        ("postgresql://messenger:GOOD@no-such-host.invalid/messenger", "correct the host in the connection's URL"),
        ("postgresql://messenger:GOOD@/messenger?host=/no/such/directory", "correct the socket's directory"),
        ("postgresql://messenger:GOOD@127.0.0.1:PORT/messenger?sslmode=require", "ssl = on in postgresql.conf"),
    ],
)
def test_a_server_that_cannot_be_used(postgres_server: PostgresServer, tmp_path: Path, url: str, advice: str) -> None:
    for name, value in {"PORT": postgres_server.port, "FREE": free_port(), "GOOD": POSTGRES_PASSWORD}.items():
        url = url.replace(name, str(value))
    (finding,) = look(url, tmp_path)
    assert (finding.check, finding.level) == ("postgresql-reach", "fail")
    assert advice in str(finding.change)
    assert "wrong-secret" not in str(finding)
    assert POSTGRES_PASSWORD not in str(finding)


def test_a_role_that_may_not_connect(postgres_server: PostgresServer, tmp_path: Path, app: str) -> None:
    postgres_server.execute("REVOKE CONNECT ON DATABASE messenger FROM PUBLIC")
    finding = bad(look(app, tmp_path))["postgresql-reach"]
    assert finding.change == "GRANT CONNECT ON DATABASE … TO this user"
    postgres_server.execute("GRANT CONNECT ON DATABASE messenger TO PUBLIC")


def test_a_role_with_too_many_connections(postgres_server: PostgresServer, tmp_path: Path, app: str) -> None:
    postgres_server.execute("ALTER ROLE app CONNECTION LIMIT 0")
    finding = bad(look(app, tmp_path))["postgresql-reach"]
    assert "too many connections for role" in finding.found
    assert str(finding.change).startswith("raise max_connections in postgresql.conf")


def test_a_role_that_is_not_let_in_from_here(postgres_server: PostgresServer, tmp_path: Path, app: str) -> None:
    rules = postgres_server.directory / "data" / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text(f"host all app 127.0.0.1/32 reject\n{before}")
    postgres_server.execute("SELECT pg_reload_conf()")
    try:
        wait_until(lambda: "postgresql-reach" in bad(look(app, tmp_path)), 10.0, "it is let in")
        finding = bad(look(app, tmp_path))["postgresql-reach"]
    finally:
        rules.write_text(before)
        postgres_server.execute("SELECT pg_reload_conf()")
        wait_until(lambda: "postgresql-reach" not in bad(look(app, tmp_path)), 10.0, "it is not let in again")
    assert "pg_hba.conf rejects connection" in finding.found
    assert str(finding.change).startswith("a line for this user, database and host in pg_hba.conf")


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("FATAL:  the database system is starting up", "wait until PostgreSQL has started"),
        ("FATAL:  the database system is shutting down", "wait until PostgreSQL has started"),
        ("FATAL:  remaining connection slots are reserved for roles with privileges", "raise max_connections"),
        ("FATAL:  sorry, too many clients already", "raise max_connections"),
        ("SSL error: certificate verify failed", "sslrootcert=FILE in the connection's URL"),
        ("connection timeout expired", "correct host and port in the connection's URL, or open the firewall"),
        ("FATAL:  something nobody has heard of", "look at the server's log"),
    ],
)
def test_what_a_server_may_say(said: str, advice: str) -> None:
    """By the words of a server that is in this state."""
    finding = failed("there", make_url("postgresql://h"), f"there: connection failed: {said}")
    assert str(finding.change).startswith(advice)


def test_each_right_that_is_missing_is_named(postgres_server: PostgresServer, tmp_path: Path, app: str) -> None:
    set_up(postgres_server, tmp_path)
    postgres_server.execute("GRANT USAGE ON SCHEMA public TO app; GRANT SELECT, DELETE ON messenger_messages TO app")
    refused = [finding for finding in look(app, tmp_path) if finding.check == "postgresql-rights"]
    assert [finding.found for finding in refused] == [
        "user app may not INSERT, UPDATE there",
        "user app may not use the sequence messenger_messages_id_seq, which numbers the messages",
    ]
    for finding in refused:
        assert finding.level == "fail"
        apply(postgres_server, finding)
    assert "postgresql-rights" not in bad(look(app, tmp_path))


def test_names_that_sql_has_quoted(postgres_server: PostgresServer, tmp_path: Path) -> None:
    dsn = f"{FAILED}&table_name=Order"
    set_up(postgres_server, tmp_path, dsn)
    postgres_server.execute('ALTER TABLE "Order" ALTER COLUMN headers TYPE JSON USING NULL')
    postgres_server.execute(f"CREATE ROLE \"App-1\" LOGIN PASSWORD '{PASSWORD}'")
    try:
        postgres_server.execute('GRANT USAGE ON SCHEMA public TO "App-1"')
        url = f"postgresql://App-1:{PASSWORD}@127.0.0.1:{postgres_server.port}/messenger"
        refused = [each for each in look(url, tmp_path, dsn) if each.check in ("postgresql-rights", "sql-table")]
        assert [each.level for each in refused] == ["fail", "fail", "fail"]
        for finding in refused:
            apply(postgres_server, finding)
        assert bad(look(url, tmp_path, dsn)).keys() == {"postgresql-persistence"}
    finally:
        postgres_server.execute('DROP OWNED BY "App-1"; DROP ROLE "App-1"')


def test_a_table_that_cannot_be_created(postgres_server: PostgresServer, tmp_path: Path, app: str) -> None:
    first = bad(look(app, tmp_path))["postgresql-rights"]
    assert first.found == "user app may use no schema, so no table can be found or created"
    postgres_server.execute("GRANT USAGE ON SCHEMA public TO app")
    second = bad(look(app, tmp_path))["postgresql-rights"]
    assert second.found == "user app may not create the table in schema public"
    apply(postgres_server, second)
    assert "postgresql-rights" not in bad(look(app, tmp_path))
    store = transport(app, tmp_path)
    store.setup()  # it is true
    store.close()
    assert "postgresql-rights" not in bad(look(app, tmp_path))


def test_a_table_of_doctrine_that_another_role_owns(postgres_server: PostgresServer, tmp_path: Path, app: str) -> None:
    create(postgres_server)
    postgres_server.execute("GRANT USAGE ON SCHEMA public TO app; GRANT ALL ON messenger_messages TO app")
    postgres_server.execute("GRANT ALL ON SEQUENCE messenger_messages_id_seq TO app")
    finding = bad(look(app, tmp_path))["postgresql-rights"]
    assert finding.found == "only messenger, who owns the table, may add lease_owner and delivery_count"
    assert finding.change == "messenger setup-transports as messenger"
    assert "sql-table" not in bad(look(postgres_server.url, tmp_path))
    without = bad(look(postgres_server.url, tmp_path, f"{FAILED}&auto_setup=false"))["sql-table"]
    assert without.found == "it has no column lease_owner and delivery_count, and auto_setup is off"


@pytest.mark.parametrize(
    ("column", "kind", "found"),
    [
        ("available_at", "TIMESTAMP WITH TIME ZONE NOT NULL", "is of type TIMESTAMP WITH TIME ZONE"),
        ("headers", "JSONB NOT NULL", "is of type JSONB"),
        ("id", "BIGINT PRIMARY KEY", "gets no number by itself"),
    ],
)
def test_a_column_of_another_type(
    postgres_server: PostgresServer, tmp_path: Path, column: str, kind: str, found: str
) -> None:
    create(postgres_server, **{column: kind})
    finding = bad(look(postgres_server.url, tmp_path))["sql-table"]
    assert (finding.level, finding.found) == ("fail", f"column {column} {found}")
    apply(postgres_server, finding)
    assert "sql-table" not in bad(look(postgres_server.url, tmp_path))


def test_a_table_that_is_none_of_messages(postgres_server: PostgresServer, tmp_path: Path) -> None:
    create(postgres_server, available_at="")
    finding = bad(look(postgres_server.url, tmp_path))["sql-table"]
    assert finding.found == "it has no column available_at: it is no table of messages"


def test_messages_that_php_workers_hold(postgres_server: PostgresServer, tmp_path: Path) -> None:
    set_up(postgres_server, tmp_path)
    postgres_server.execute(TAKEN_BY_PHP)
    check_what_php_holds(postgres_server.url, tmp_path)


def test_no_trigger(postgres_server: PostgresServer, tmp_path: Path) -> None:
    set_up(postgres_server, tmp_path, f"{FAILED}&use_notify=false")
    finding = bad(look(postgres_server.url, tmp_path))["postgresql-trigger"]
    assert finding.found == "no trigger tells waiting workers of a message: they look every 0.2 s instead"
    set_up(postgres_server, tmp_path)
    assert "postgresql-trigger" not in bad(look(postgres_server.url, tmp_path))
    set_up(postgres_server, tmp_path, f"{FAILED}&use_notify=false")


def test_notify_that_is_lost_on_the_way(postgres_server: PostgresServer, tmp_path: Path) -> None:
    proxy = DeafProxy(postgres_server)
    url = postgres_server.url.replace(str(postgres_server.port), str(proxy.port)) + "?sslmode=disable"
    finding = bad(look(url, tmp_path))["postgresql-notify"]
    quiet = look(url, tmp_path, f"{FAILED}&use_notify=false")
    proxy.close()
    assert finding.level == "warn"
    assert "NOTIFY does not reach who listens" in finding.found
    assert "postgresql-notify" not in {each.check for each in quiet}


def test_a_standby(tmp_path: Path) -> None:
    server = PostgresServer()
    try:
        server.start()
        server.stop()
        (server.directory / "data" / "standby.signal").touch()
        super(PostgresServer, server).start()
        findings = look(server.url, tmp_path)
    finally:
        server.destroy()
    assert bad(findings)["postgresql-role"].found == "it is a standby, which cannot be written"
    assert "postgresql-notify" not in {finding.check for finding in findings}


@pytest.mark.parametrize(
    ("setting", "check", "found"),
    [
        ("default_transaction_read_only = on", "postgresql-role", "transactions are read-only here"),
        ("synchronous_commit = off", "postgresql-persistence", "synchronous_commit is off: a crash loses"),
    ],
)
def test_settings_of_a_role(
    postgres_server: PostgresServer, tmp_path: Path, app: str, setting: str, check: str, found: str
) -> None:
    postgres_server.execute(f"ALTER ROLE app SET {setting}")
    finding = bad(look(app, tmp_path))[check]
    assert finding.found.startswith(found)
    apply(postgres_server, finding)
    assert found not in str(bad(look(app, tmp_path)).get(check))


def test_what_this_server_is_not() -> None:
    """By the facts that another server would give."""
    well = [finding.level for finding in check_server("there", FACTS)]
    assert well == ["ok", "ok", "ok"]
    old = bad(list(check_server("there", replace(FACTS, version="10.4", major=10))))["postgresql-version"]
    assert (old.level, old.found, old.change) == (
        "fail",
        "PostgreSQL 10.4 is too old",
        "PostgreSQL 11 or newer",
    )
