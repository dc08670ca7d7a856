"""Check that LISTEN works: a connection pool in between may accept it and forget it."""

from __future__ import annotations

import time
from secrets import token_hex

import psycopg
from sqlalchemy import Connection, text

from messenger.checks.finding import Finding, Place
from messenger.errors import TransportError
from messenger.polling import readable
from messenger.transports.sql.connection import Database

_SECONDS = 2.0


def check_notify(database: Database) -> Finding:
    """LISTEN on a channel of its own in one session, NOTIFY in another."""
    place = Place("postgresql-notify", database.address)
    channel = f"messenger_check_{token_hex(8)}"
    try:
        with database.plain_errors(), database.connect() as connection:
            connection.execute(text(f"LISTEN {channel}"))
            connection.commit()
            database.write(lambda other: other.execute(text(f"NOTIFY {channel}")))
            told = _is_told(connection)
            connection.invalidate()  # a connection that listens goes back to no pool
    except TransportError as error:
        reason = str(error).removeprefix(f"{database.address}: ")
        return place.warn(f"LISTEN and NOTIFY are refused: {reason}", "use_notify=false in the DSN")
    if told:
        return place.ok("LISTEN and NOTIFY work")
    return place.warn(
        "NOTIFY does not reach who listens, so a message may wait as long as check_delayed_interval; PgBouncer with "
        "pool_mode=transaction does that",
        "the address of PostgreSQL itself, or pool_mode=session, or use_notify=false in the DSN",
    )


def _is_told(connection: Connection) -> bool:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    deadline = time.monotonic() + _SECONDS
    while (left := deadline - time.monotonic()) > 0:
        driver.pgconn.consume_input()
        if driver.pgconn.notifies() is not None:
            return True
        readable((driver.fileno(),), left)
    return False
