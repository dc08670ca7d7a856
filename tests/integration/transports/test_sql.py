"""What the SQL transport promises beyond the contract: times, the table, the file, and hard cases of the databases."""

from __future__ import annotations

import logging
import sqlite3
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL, Connection, create_engine, inspect, text
from sqlalchemy.engine import make_url

from messenger.errors import TransportError, TransportUnavailable
from messenger.stamps import DelayStamp, DeliveryStamp, TransportMessageIdStamp
from messenger.transports.base import Depth, ListableTransport, QueueTransport, Transport
from messenger.transports.sql.connection import Database
from messenger.wire.encoded import UndecodableMessage
from tests.integration.transports.stores import (
    LONG,
    Store,
    build,
    context_for,
    listed,
    never,
    number_envelope,
    order_number,
    take,
)
from tests.support.servers import POSTGRES_PASSWORD, PostgresServer, wait_until

PRIVATE_TEXT = "dear Ms Smith"
FACTORY = "messenger.transports.sql:create"


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


def numbers_in(transport: Transport) -> list[int]:
    return [order_number(envelope) for envelope in listed(transport)]


def as_time(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


# --- times --------------------------------------------------------------------------------------------------------


def test_delays_keep_their_milliseconds(sql: Store) -> None:
    sql.open().send(number_envelope(1).with_stamps(DelayStamp(1234)))
    created, available = run_sql(sql, "SELECT created_at, available_at FROM messenger_messages")[0]
    assert abs(as_time(available) - as_time(created) - timedelta(seconds=1.234)) <= timedelta(milliseconds=1)


def test_messages_taken_together_come_in_the_order_they_were_due(sql: Store) -> None:
    transport = sql.open()
    for number, delay in enumerate((300, 200, 100)):
        transport.send(number_envelope(number).with_stamps(DelayStamp(delay)))
    wait_until(lambda: transport.depth().ready == 3, LONG, "they did not become due")
    assert [order_number(envelope) for envelope in transport.get(0, never, 3)] == [2, 1, 0]


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
    assert numbers_in(orders) == [1]
    assert numbers_in(failed) == [2]
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
    assert numbers_in(transport) == [2]


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
    assert numbers_in(transport) == [1, 2]


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


def test_only_the_chosen_queues_are_taken_from(tmp_path: Path) -> None:
    context = context_for(tmp_path, "worker-0")
    queues = [build(FACTORY, name, f"doctrine://default?queue_name={name}", context) for name in ("a", "b", "c")]
    for number, transport in enumerate(queues):
        transport.send(number_envelope(number))
    receiver = queues[0]
    assert isinstance(receiver, QueueTransport)
    receiver.only_queues(["b", "c"])
    assert [order_number(take(receiver)) for _ in range(2)] == [1, 2]
    assert receiver.get(0.0, never) == []
    for transport in queues:
        transport.close()
