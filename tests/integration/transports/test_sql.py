"""What the SQL transport promises beyond the contract: times, the table, the file, and hard cases of the databases."""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL, Connection, create_engine, inspect, text
from sqlalchemy.engine import make_url

from messenger.envelope import AnyEnvelope
from messenger.errors import TransportError, TransportUnavailable
from messenger.stamps import DelayStamp, DeliveryStamp, TransportMessageIdStamp
from messenger.transports.base import Depth, ListableTransport, Transport
from messenger.transports.sql.connection import Database
from messenger.wire.serializer import UndecodableMessage
from tests.integration.servers import POSTGRES_PASSWORD, PostgresServer
from tests.integration.transports.stores import (
    Store,
    build,
    context_for,
    never,
    number_envelope,
    order_number,
    postgresql_store,
    sqlite_store,
)

PRIVATE_TEXT = "dear Ms Smith"
FACTORY = "messenger.transports.sql:create"


@pytest.fixture(params=["sqlite", "postgresql"])
def sql(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty SQL store."""
    if request.param == "sqlite":
        made = sqlite_store(tmp_path)
    else:
        made = postgresql_store(tmp_path, request.getfixturevalue("postgres_server"))
    yield made
    made.close()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Store]:
    """An empty SQLite store."""
    made = sqlite_store(tmp_path / "state")
    yield made
    made.close()


@pytest.fixture
def postgresql(tmp_path: Path, postgres_server: PostgresServer) -> Iterator[Store]:
    """An empty PostgreSQL store."""
    made = postgresql_store(tmp_path, postgres_server)
    yield made
    made.close()


def run_sql(store: Store, statement: str) -> list[Any]:
    """Run a statement beside the transport; its rows."""
    engine = create_engine(url_of(store))
    try:
        with engine.begin() as connection:
            result = connection.execute(text(statement))
            return [tuple(row) for row in result] if result.returns_rows else []
    finally:
        engine.dispose()


def url_of(store: Store) -> URL:
    if store.connections:
        return make_url(store.connections["main"]).set(drivername="postgresql+psycopg")
    return make_url(f"sqlite:///{database_file(store)}")


def database_of(store: Store) -> Database:
    """The transport's own seam to the database; close it."""
    return Database(url_of(store))


def database_file(store: Store) -> Path:
    return store.state_dir / "messenger.db"


def with_queue(store: Store, queue: str) -> Transport:
    """A transport on another queue of the same table."""
    made = build(
        FACTORY,
        queue,
        store.dsn.format(lease=60).replace("=orders", f"={queue}"),
        context_for(store.state_dir, queue, store.connections),
    )
    store.opened.append(made)
    return made


def take(transport: Transport) -> AnyEnvelope:
    taken = transport.get(20, never)
    assert len(taken) == 1
    return taken[0]


def listed(transport: Transport) -> list[int]:
    assert isinstance(transport, ListableTransport)
    return [order_number(envelope) for envelope in transport.all(100)]


def as_time(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


# --- times --------------------------------------------------------------------------------------------------------


def test_delays_keep_their_milliseconds(sql: Store) -> None:
    sql.open().send(number_envelope(1).with_stamps(DelayStamp(1234)))
    created, available = run_sql(sql, "SELECT created_at, available_at FROM messenger_messages")[0]
    assert abs(as_time(available) - as_time(created) - timedelta(seconds=1.234)) <= timedelta(milliseconds=1)


def test_times_are_utc(sql: Store) -> None:
    transport = sql.open()
    transport.send(number_envelope(1))
    take(transport)
    now = datetime.now(UTC).replace(tzinfo=None)
    for value in run_sql(sql, "SELECT created_at, available_at, delivered_at FROM messenger_messages")[0]:
        assert abs(as_time(value) - now) < timedelta(minutes=5), "the test server lives in another time zone"


def test_a_table_with_whole_seconds_is_widened(postgresql: Store) -> None:
    run_sql(
        postgresql,
        "CREATE TABLE messenger_messages (id BIGSERIAL PRIMARY KEY, body TEXT NOT NULL, headers TEXT NOT NULL,"
        " queue_name VARCHAR(190) NOT NULL, created_at TIMESTAMP(0) NOT NULL, available_at TIMESTAMP(0) NOT NULL,"
        " delivered_at TIMESTAMP(0) DEFAULT NULL)",
    )
    test_delays_keep_their_milliseconds(postgresql)
    test_the_table_is_indexed_for_the_next_message(postgresql)


# --- the table ----------------------------------------------------------------------------------------------------


def test_queues_of_one_table_are_apart(sql: Store) -> None:
    orders, failed = sql.open(), with_queue(sql, "failed")
    sent = orders.send(number_envelope(1))
    failed.send(number_envelope(2))
    stamp = sent.last(TransportMessageIdStamp)
    assert stamp is not None
    assert listed(orders) == [1]
    assert listed(failed) == [2]
    assert isinstance(failed, ListableTransport)
    assert failed.find(stamp.id) is None
    assert order_number(take(failed)) == 2
    assert failed.get(0, never) == []
    assert failed.depth() == Depth(0, 1, 0)
    assert orders.depth().ready == 1


def test_an_id_is_never_used_again(sql: Store) -> None:
    transport = sql.open()
    transport.send(number_envelope(1))
    first = take(transport)
    transport.ack(first)
    transport.send(number_envelope(2))
    transport.ack(first)
    assert listed(transport) == [2]


def test_the_table_is_indexed_for_the_next_message(sql: Store) -> None:
    sql.open().setup()
    database = database_of(sql)
    indexes = database.read(lambda connection: inspect(connection).get_indexes("messenger_messages"))
    database.close()
    assert ["queue_name", "available_at"] in [index["column_names"] for index in indexes]


def test_without_auto_setup_the_missing_table_is_named_with_the_remedy(sql: Store) -> None:
    sql.dsn += "&auto_setup=false&table_name=jobs"
    transport = sql.open()
    with pytest.raises(TransportError, match=r"jobs.*setup-transports") as caught:
        transport.send(number_envelope(1))
    assert not isinstance(caught.value, TransportUnavailable)
    transport.setup()
    transport.send(number_envelope(1))
    assert run_sql(sql, "SELECT count(*) FROM jobs") == [(1,)]


def test_a_table_that_was_dropped_is_made_again(sql: Store) -> None:
    transport = sql.open()
    transport.send(number_envelope(1))
    run_sql(sql, "DROP TABLE messenger_messages")
    assert transport.get(0, never) == []
    assert transport.depth() == Depth(0, 0, 0)
    transport.send(number_envelope(2))
    assert order_number(take(transport)) == 2


def test_many_may_be_the_first(sql: Store) -> None:
    start = threading.Barrier(8)

    def first_use(transport: Transport) -> None:
        start.wait(20)
        for number in range(5):
            transport.send(number_envelope(number))

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(first_use, sql.open()) for _ in range(8)]:
            done.result()
    assert run_sql(sql, "SELECT count(*) FROM messenger_messages") == [(40,)]


# --- what is found in rows ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", ["{", '"text"', '{"type": 1}', '[{"a": "b"}]', "null"])
def test_a_row_with_unreadable_headers_is_kept_whole_and_blocks_nobody(sql: Store, headers: str) -> None:
    transport = sql.open()
    transport.setup()
    insert_row(sql, "the body", headers)
    transport.send(number_envelope(2))
    received = take(transport)
    assert isinstance(received.message, UndecodableMessage)
    assert received.last(DeliveryStamp) == DeliveryStamp(1)
    assert order_number(take(transport)) == 2
    transport.requeue(received, received)
    again = take(transport)
    assert isinstance(again.message, UndecodableMessage)
    assert again.message.body == received.message.body


def test_a_body_that_is_no_text_blocks_nobody(sqlite: Store) -> None:
    transport = sqlite.open()
    transport.setup()
    insert_row(sqlite, b"\xff\xfe\x00", "{}")
    run_sql(sqlite, "UPDATE messenger_messages SET body = CAST(body AS TEXT)")
    insert_row(sqlite, b"\xff\xfe\x00", "{}")
    transport.send(number_envelope(3))
    for _ in range(2):
        received = take(transport)
        assert isinstance(received.message, UndecodableMessage)
        assert "UTF-8" in received.message.reason
        transport.send(received)
    assert order_number(take(transport)) == 3
    assert isinstance(take(transport).message, UndecodableMessage)


def insert_row(store: Store, body: str | bytes, headers: str) -> None:
    values = (body, headers, "orders", "2026-01-01 00:00:00", "2026-01-01 00:00:00")
    columns = "body, headers, queue_name, created_at, available_at"
    if store.connections:
        with psycopg.connect(store.connections["main"], autocommit=True) as postgres:
            postgres.execute(f"INSERT INTO messenger_messages ({columns}) VALUES (%s, %s, %s, %s, %s)".encode(), values)
        return
    lite = sqlite3.connect(database_file(store))
    with lite:
        lite.execute(f"INSERT INTO messenger_messages ({columns}) VALUES (?, ?, ?, ?, ?)", values)
    lite.close()


# --- errors and logs ----------------------------------------------------------------------------------------------


def test_a_message_body_is_never_in_an_error(sql: Store) -> None:
    transport = sql.open()
    transport.setup()
    run_sql(sql, "ALTER TABLE messenger_messages RENAME COLUMN body TO content")
    with pytest.raises(TransportError) as caught:
        transport.send(number_envelope(1, PRIVATE_TEXT))
    assert "body" in str(caught.value)
    assert PRIVATE_TEXT not in "".join(traceback.format_exception(caught.value))


def test_what_is_gone_is_logged(sql: Store, caplog: pytest.LogCaptureFixture) -> None:
    transport = sql.open()
    transport.send(number_envelope(1))
    received = take(transport)
    transport.ack(received)
    with caplog.at_level(logging.WARNING, "messenger.transports.sql"):
        transport.ack(received)
        transport.reject(received)
        transport.requeue(received, received)
        transport.keepalive(received)
    assert [record.name for record in caplog.records] == ["messenger.transports.sql"] * 4


def test_an_envelope_from_elsewhere_is_refused(sql: Store) -> None:
    transport = sql.open()
    for foreign in (number_envelope(1), number_envelope(1).with_stamps(TransportMessageIdStamp("1700000000000-0"))):
        with pytest.raises(TransportError, match="did not come from here"):
            transport.ack(foreign)


# --- PostgreSQL ---------------------------------------------------------------------------------------------------


def test_a_row_somebody_is_just_taking_is_passed_over(postgresql: Store) -> None:
    transport = postgresql.open()
    transport.send(number_envelope(1))
    transport.send(number_envelope(2))
    with psycopg.connect(postgresql.connections["main"]) as other:
        other.execute("SELECT id FROM messenger_messages ORDER BY id LIMIT 1 FOR UPDATE")
        assert order_number(take(transport)) == 2


def test_a_sender_does_not_notice_a_restart(postgresql: Store, postgres_server: PostgresServer) -> None:
    transport = postgresql.open()
    transport.send(number_envelope(1))
    postgres_server.stop()
    postgres_server.start()
    transport.send(number_envelope(2))
    assert listed(transport) == [1, 2]


def test_an_error_text_never_has_the_password(postgresql: Store) -> None:
    database = database_of(postgresql)
    words = text(f"DO $$ BEGIN RAISE EXCEPTION 'who logged in with {POSTGRES_PASSWORD}?'; END $$")
    with pytest.raises(TransportError, match=r"logged in with \*\*\*\?"):
        database.write(lambda connection: connection.execute(words))
    database.close()


def test_a_transaction_that_lost_a_deadlock_is_run_again(postgresql: Store) -> None:
    database = database_of(postgresql)
    runs = 0

    def work(connection: Connection) -> str:
        nonlocal runs
        runs += 1
        if runs < 3:
            connection.execute(text("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END $$"))
        return "done"

    assert database.write(work) == "done"
    assert runs == 3
    database.close()


# --- SQLite -------------------------------------------------------------------------------------------------------


def test_only_the_owner_can_read_the_messages(sqlite: Store) -> None:
    before = os.umask(0)
    try:
        sqlite.open().send(number_envelope(1))
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in sqlite.state_dir.iterdir()}
    assert modes == {"messenger.db": 0o600, "messenger.db-wal": 0o600, "messenger.db-shm": 0o600}
    assert stat.S_IMODE(sqlite.state_dir.stat().st_mode) == 0o700


def test_permissions_an_operator_chose_are_left_alone(sqlite: Store) -> None:
    sqlite.open().setup()
    sqlite.close()
    database_file(sqlite).chmod(0o640)
    sqlite.open().send(number_envelope(1))
    assert stat.S_IMODE(database_file(sqlite).stat().st_mode) == 0o640


def test_a_writer_waits_for_another_and_readers_wait_for_nobody(sqlite: Store) -> None:
    transport, reader = sqlite.open(), sqlite.open()
    transport.send(number_envelope(1))
    other = sqlite3.connect(database_file(sqlite), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(transport.send, number_envelope(2))
        assert reader.depth().ready == 1
        assert listed(reader) == [1]
        assert not sending.done()
        other.execute("COMMIT")
        sending.result(20)
    other.close()
    assert listed(reader) == [1, 2]


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    transport = sqlite_store(tmp_path / "file" / "state").open()
    with pytest.raises(TransportUnavailable, match="messenger.db: Not a directory"):
        transport.send(number_envelope(1))


def test_a_file_that_is_no_database_is_named_and_not_touched(sqlite: Store) -> None:
    sqlite.state_dir.mkdir()
    database_file(sqlite).write_text("these are my notes, not a database\n" * 10)
    with pytest.raises(TransportError, match="messenger.db: file is not a database"):
        sqlite.open().send(number_envelope(1))
    assert database_file(sqlite).read_text().startswith("these are my notes")
