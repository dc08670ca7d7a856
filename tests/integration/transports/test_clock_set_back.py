"""A database's clock that goes back an hour: what a killed worker held is handed out again after one lease."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from messenger.stamps import DelayStamp
from messenger.transports.sql.transport import SqlTransport
from tests.integration.transports.stores import (
    Store,
    deliveries,
    kept_alive,
    look_for,
    number_envelope,
    order_number,
    postgresql_store,
    sqlite_store,
    take,
)

LATER = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f', {0}, '+1 hour')",
    "postgresql": "{0} + interval '1 hour'",
}


@pytest.fixture(params=LATER)
def sql(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        store = sqlite_store(tmp_path)
    else:
        store = postgresql_store(tmp_path, request.getfixturevalue("postgres_server"))
    yield store
    store.close()


def an_hour_later(transport: SqlTransport, *columns: str) -> None:
    """Each of these times as a clock wrote it that was an hour ahead of what it is now."""
    database = transport._database

    def work(connection: Connection) -> None:
        later = LATER[connection.dialect.name]
        changes = ", ".join(f"{column} = {later.format(column)}" for column in columns)
        connection.execute(text(f"UPDATE {transport.options.table_name} SET {changes}"))

    database.write(work)


def test_a_lease_in_a_table_costs_no_more_than_itself(sql: Store) -> None:
    dead, alive = sql.open(lease=1), sql.open(lease=1)
    assert isinstance(dead, SqlTransport)
    dead.send(number_envelope(1))
    take(dead)
    an_hour_later(dead, "delivered_at")
    again = take(alive)
    assert order_number(again) == 1
    assert deliveries(again) == 2


def test_what_is_worked_on_is_not_taken_over(sql: Store) -> None:
    busy, other = sql.open(lease=2), sql.open(lease=2)
    assert isinstance(busy, SqlTransport)
    busy.send(number_envelope(1))
    held = take(busy)
    an_hour_later(busy, "delivered_at")
    with kept_alive(busy, held):
        assert look_for(other, 4) is None


def test_messages_in_a_table_wait_no_longer_than_they_were_to(sql: Store) -> None:
    transport = sql.open()
    assert isinstance(transport, SqlTransport)
    transport.send(number_envelope(1))
    transport.send(number_envelope(2).with_stamps(DelayStamp(60_000)))
    an_hour_later(transport, "created_at", "available_at")
    assert order_number(take(transport)) == 1
    depth = transport.depth()
    assert depth.delayed == 1
    assert depth.next_due_seconds is not None
    assert 30 < depth.next_due_seconds < 61
