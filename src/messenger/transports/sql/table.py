"""The table and every statement that is ever sent to it.

The first seven columns are those of Symfony's Doctrine transport, so PHP can read and write the table. The
other two are ours, and may be empty. PHP's setup-transports drops them, and they come back with the next statement.
All times are UTC by the database's clock, with fractions of a second; PHP compares whole seconds, so it sees a new
message up to a second later.

    column          meaning
    id              never used twice
    body, headers   the message; headers are a JSON object of texts
    queue_name      several queues share one table
    created_at      when it was first stored
    available_at    not to be taken before
    delivered_at    empty: waiting. Else when it was taken, or last reported as still being worked on
    lease_owner     who took it, different each time: a worker that lost its lease no longer matches
    delivery_count  how often it was taken since it was stored or put back
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    DateTime,
    Delete,
    Float,
    Index,
    Insert,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    Text,
    Update,
    func,
    inspect,
    select,
    text,
    type_coerce,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateColumn
from sqlalchemy.sql.functions import FunctionElement

OUR_COLUMNS = ("lease_owner", "delivery_count")
_CLOCKS_DIFFER_SECONDS = 2.0  # PHP writes the times of its own clock, in whole seconds
_TIMES = ("created_at", "available_at", "delivered_at")


class utc_after(FunctionElement[Any]):  # noqa: N801 - it stands in statements as SQL's functions do
    """The database's clock in UTC plus a number of seconds."""

    type = DateTime()
    inherit_cache = True


class seconds_since(FunctionElement[float]):  # noqa: N801
    """How many seconds a time column lies in the past."""

    type = Float()
    inherit_cache = True


@compiles(utc_after, "postgresql")
def _utc_after_postgresql(element: utc_after, compiler: Any, **options: Any) -> str:
    seconds = compiler.process(element.clauses, **options)
    return f"(timezone('utc', statement_timestamp()) + make_interval(secs => CAST({seconds} AS double precision)))"


@compiles(utc_after, "sqlite")
def _utc_after_sqlite(element: utc_after, compiler: Any, **options: Any) -> str:
    seconds = compiler.process(element.clauses, **options)
    return f"strftime('%Y-%m-%d %H:%M:%f', 'now', printf('%+.3f seconds', {seconds}))"


@compiles(seconds_since, "postgresql")
def _seconds_since_postgresql(element: seconds_since, compiler: Any, **options: Any) -> str:
    time = compiler.process(element.clauses, **options)
    return f"CAST(extract(epoch FROM timezone('utc', statement_timestamp()) - {time}) AS double precision)"


@compiles(seconds_since, "sqlite")
def _seconds_since_sqlite(element: seconds_since, compiler: Any, **options: Any) -> str:
    return f"((julianday('now') - julianday({compiler.process(element.clauses, **options)})) * 86400.0)"


def messages_table(name: str) -> Table:
    """The table as we create it."""
    return Table(
        name,
        MetaData(),
        Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
        Column("body", Text, nullable=False),
        Column("headers", Text, nullable=False),
        Column("queue_name", String(190), nullable=False),
        Column("created_at", DateTime, nullable=False),
        Column("available_at", DateTime, nullable=False),
        Column("delivered_at", DateTime),
        Column("lease_owner", Text),
        Column("delivery_count", Integer),
        Index(f"ix_{name}_queue", "queue_name", "available_at"),
        sqlite_autoincrement=True,  # An id that comes again would let a late ack delete another message.
    )


def create_or_complete(connection: Connection, table: Table) -> None:
    """Create the table, or add what one made by Doctrine lacks. Harmless when all is there; safe at the same time."""
    postgresql = connection.dialect.name == "postgresql"
    if postgresql:
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"messenger:{table.name}"))))
    inspector = inspect(connection)
    if not inspector.has_table(table.name):
        table.create(connection)
        return
    there = {column["name"]: column["type"] for column in inspector.get_columns(table.name)}
    quoted = connection.dialect.identifier_preparer.format_table(table)
    for name in OUR_COLUMNS:
        if name not in there:
            definition = CreateColumn(table.c[name]).compile(dialect=connection.dialect)
            connection.execute(text(f"ALTER TABLE {quoted} ADD COLUMN {definition}"))
    if postgresql and any(getattr(there[name], "precision", None) == 0 for name in _TIMES):
        # Doctrine's TIMESTAMP(0) rounds a delay to whole seconds. PostgreSQL widens it without touching the rows.
        widened = ", ".join(f"ALTER COLUMN {name} TYPE TIMESTAMP(6)" for name in _TIMES)
        connection.execute(text(f"ALTER TABLE {quoted} {widened}"))
    for index in table.indexes:
        index.create(connection, checkfirst=True)


class Statements:
    """The statements of one queue. A `delay` and the `redeliver_timeout` are seconds."""

    def __init__(self, table: Table, queue_name: str, redeliver_timeout: float) -> None:
        self._table = table
        self._c = table.c
        self._queue = self._c.queue_name == queue_name
        self._queue_name = queue_name
        self._redeliver_timeout = redeliver_timeout
        self._taken = self._c.delivered_at.is_not(None) & (self._c.delivered_at >= utc_after(-redeliver_timeout))
        self._free = self._c.delivered_at.is_(None) | (self._c.delivered_at < utc_after(-redeliver_timeout))
        self._due = self._c.available_at <= utc_after(0.0)

    def insert(self, body: str, headers: str, delay: float) -> Insert:
        """Store a message; gives its id."""
        row = {"body": body, "headers": headers, "queue_name": self._queue_name, "delivery_count": 0}
        times = {"created_at": utc_after(0.0), "available_at": utc_after(delay)}
        return self._table.insert().values(**row, **times).returning(self._c.id)

    def take(self, lease_owner: str, limit: int, queues: Sequence[str] = ()) -> Update:
        """Take up to `limit` messages that are due and free.

        SKIP LOCKED passes over rows another worker is just taking; SQLite has one writer at a time anyway. They are
        chosen in a WITH, which PostgreSQL runs once; of a subquery it may lock the rows of each run.

        Args:
            lease_owner: The owner of the leases.
            limit: The largest number of messages.
            queues: Queues to take from instead of the one of the transport.

        Returns:
            A statement with the rows id, body, headers, delivery_count and available_at; sort by the last one, since an
            UPDATE returns rows in any order.
        """
        queue = self._c.queue_name.in_(queues) if queues else self._queue
        free = select(self._c.id).where(queue, self._due, self._free)
        first = free.order_by(self._c.available_at, self._c.id).limit(limit).with_for_update(skip_locked=True)
        return (
            self._table.update()
            .where(self._c.id.in_(select(first.cte("first").c.id)))
            .values(
                delivered_at=utc_after(0.0),
                lease_owner=lease_owner,
                delivery_count=func.coalesce(self._c.delivery_count, 0) + 1,
            )
            .returning(
                self._c.id,
                self._c.body,
                self._c.headers,
                self._c.delivery_count,
                type_coerce(self._c.available_at, Text).label("available_at"),  # unread: it may be no time in SQLite
            )
        )

    def next_look(self, queues: Sequence[str] = ()) -> Select[float]:
        """Return a query for the seconds until the next message becomes due, or its lease runs out.

        The value is negative when there is one, and NULL when there is none.
        """
        queue = self._c.queue_name.in_(queues) if queues else self._queue
        due = select(func.min(self._c.available_at)).where(queue, self._free).scalar_subquery()
        taken = select(func.min(self._c.delivered_at)).where(queue, self._taken).scalar_subquery()
        return select(func.least(-seconds_since(due), self._redeliver_timeout - seconds_since(taken)))

    def from_the_future(self) -> tuple[Update, Update]:
        """Put right what a clock of the database that was set back left in the future.

        Leases and delays begin now. What is worked on renews its lease: none is taken too early.
        """
        delay = seconds_since(self._c.created_at) - seconds_since(self._c.available_at)
        return (
            self._table.update()
            .where(self._queue, self._c.delivered_at > utc_after(_CLOCKS_DIFFER_SECONDS))
            .values(delivered_at=utc_after(0.0)),
            self._table.update()
            .where(self._queue, self._c.created_at > utc_after(_CLOCKS_DIFFER_SECONDS))
            .values(created_at=utc_after(0.0), available_at=utc_after(delay)),
        )

    def renew(self, row_id: int, lease_owner: str) -> Update:
        """Say that a message is still being worked on."""
        ours = self._row(row_id, lease_owner)
        return self._table.update().where(*ours).values(delivered_at=utc_after(0.0))

    def hand_back(self, row_id: int, lease_owner: str, *, counts: bool) -> Update:
        """Free a message; unless this delivery `counts`, as if it had not been taken."""
        deliveries = self._c.delivery_count - (0 if counts else 1)
        freed = {"delivered_at": None, "lease_owner": None, "delivery_count": deliveries}
        return self._table.update().where(*self._row(row_id, lease_owner)).values(**freed)

    def delete(self, row_id: int, lease_owner: str | None = None) -> Delete:
        """Remove a message; with `lease_owner` only while that one holds it."""
        return self._table.delete().where(*self._row(row_id, lease_owner))

    def put_back(self, row_id: int, lease_owner: str | None, body: str, headers: str, delay: float) -> Update:
        """Give a message new contents and let it wait again; with `lease_owner` only while that one holds it."""
        fresh = {"delivered_at": None, "lease_owner": None, "delivery_count": 0}
        return (
            self._table.update()
            .where(*self._row(row_id, lease_owner))
            .values(body=body, headers=headers, available_at=utc_after(delay), **fresh)
        )

    def depth(self) -> Select[int, int, int, float, float]:
        """One row: ready, in_flight, delayed, oldest_seconds (of those that are ready), seconds since the next due."""
        ready = self._due & self._free
        return select(
            func.count().filter(ready),
            func.count().filter(self._taken),
            func.count().filter(~self._due & self._free),
            seconds_since(func.min(self._c.available_at).filter(ready)),
            seconds_since(func.min(self._c.available_at).filter(~self._due & self._free)),
        ).where(self._queue)

    def in_flight(self) -> Select[str | None, int, float]:
        """lease_owner, how many it holds, seconds since the sign of life that lies furthest back."""
        idle = seconds_since(func.min(self._c.delivered_at))
        owner = self._c.lease_owner
        return select(owner, func.count(), idle).where(self._queue, self._taken).group_by(owner)

    def oldest(self, limit: int) -> Select[Any]:
        """id, body, headers of the oldest messages, whatever state they are in."""
        return self._contents().order_by(self._c.id).limit(limit)

    def find(self, row_id: int) -> Select[Any]:
        """id, body, headers of one message, whatever state it is in."""
        return self._contents().where(self._c.id == row_id)

    def _contents(self) -> Select[Any]:
        return select(self._c.id, self._c.body, self._c.headers).where(self._queue)

    def _row(self, row_id: int, lease_owner: str | None) -> list[ColumnElement[bool]]:
        row = [self._c.id == row_id]
        return row if lease_owner is None else [*row, self._c.lease_owner == lease_owner]
