"""The SQL transport: takes rows under a lease and puts them back, deletes or renews them."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Row

from messenger.envelope import AnyEnvelope
from messenger.errors import TransportError
from messenger.stamps import DelayStamp, DeliveryStamp, LocalStamp, TransportMessageIdStamp
from messenger.transports.base import Depth, InFlight, TransportContext
from messenger.transports.size_limit import check_size
from messenger.transports.sql.connection import Database, SchemaMissing
from messenger.transports.sql.joined import JoinedInsert
from messenger.transports.sql.options import SqlOptions
from messenger.transports.sql.row import read_row, write_row
from messenger.transports.sql.table import Statements, create_or_complete, messages_table
from messenger.transports.transactions import SqlConnectionStamp, StoredInTransactionStamp

T = TypeVar("T")
log = logging.getLogger("messenger.transports.sql")

POLL_SECONDS = 0.2
_CLOCK_SECONDS = 10.0  # between two looks for times in the future
_STOP_SECONDS = 0.05
_ID = re.compile(r"[0-9]{1,18}")


class SqlLeaseStamp(LocalStamp, frozen=True):
    """Under which lease the message was taken. A message that was only looked at has none."""

    owner: str


class SqlTransport:
    """One queue of a message table.

    A message is taken by marking its row with the time and a lease owner. The row is free again once that time lies
    further back than `redeliver_timeout`; keepalive moves it forward.
    """

    joins_transaction = True

    def __init__(self, name: str, options: SqlOptions, context: TransportContext) -> None:
        """Create it; it connects at first use.

        Args:
            name: The transport's.
            options: Its options.
            context: What it gets from the application.
        """
        self.name = name
        self.options = options
        self._database = Database(options.url)
        self._serializer = context.serializer
        self._worker_id = context.worker_id
        self._transactions = context.transactions
        self._max_deliveries = context.max_deliveries
        self._table = messages_table(options.table_name)
        self._joined = JoinedInsert(name, self._database, self._table, self.setup if options.auto_setup else None)
        self._queues: tuple[str, ...] = ()
        self._clock_at = float("-inf")
        self._sql = Statements(self._table, options.queue_name, options.redeliver_timeout)

    def setup(self) -> None:
        """Create the table, or add our columns and the index to one made by Doctrine."""
        self._database.write(lambda connection: create_or_complete(connection, self._table))

    def send(self, envelope: AnyEnvelope) -> AnyEnvelope:
        """Insert the message.

        It is committed when this returns, unless it joins a transaction: that of its SqlConnectionStamp, or the one of
        this database that is open around the running handler.

        Raises:
            TransportUnavailable: The database cannot be reached.
            TransportError: The database refused.
            MessageEncodingFailed: The message cannot be written, or is too large.
        """
        body, headers = write_row(self._serializer.encode(envelope))
        if self.options.max_message_bytes:
            size = len(body.encode()) + len(headers.encode())
            allows = f"max_message_bytes of the transport {self.name!r}"
            check_size(envelope, size, self.options.max_message_bytes, allows)
        if self.on_this_host:
            self._check_room(len(body) + len(headers))
        statement = self._sql.insert(body, headers, _delay_seconds(envelope))
        connection = self._connection_to_join(envelope)
        if connection is not None:
            row_id = self._joined.run(connection, statement)
            envelope = envelope.with_stamps(StoredInTransactionStamp(connection))
        else:
            row_id = self._write(lambda connection: connection.execute(statement).scalar_one())
        return envelope.with_stamps(TransportMessageIdStamp(str(row_id)))

    def _check_room(self, size: int) -> None:
        from messenger.transports.sql.sqlite import check_room

        check_room(Path(self.options.url.database or ""), size)

    def _connection_to_join(self, envelope: AnyEnvelope) -> Connection | None:
        given = envelope.last(SqlConnectionStamp)
        if given is not None:
            return self._joined.check(given.connection)
        transaction = self._transactions.find(self.options.url)
        return None if transaction is None else transaction.connection()

    def get(self, wait: float, stop: Callable[[], bool], limit: int = 1) -> Sequence[AnyEnvelope]:
        """Take the oldest messages that are due and free, looking again until `wait` seconds are over."""
        deadline = time.monotonic() + wait
        while not stop():
            taken = self._take(limit)
            left = deadline - time.monotonic()
            if taken or left <= 0:
                return taken
            self._wait(left, stop)
        return []

    def only_queues(self, names: Sequence[str]) -> None:
        """Take messages of these queues of the table; see QueueTransport."""
        self._queues = tuple(names)

    def ack(self, envelope: AnyEnvelope) -> None:
        """Delete the row of a handled message, even if another worker has taken it over."""
        row_id = self._id(envelope)
        if not self._changed(self._sql.delete(row_id)):
            log.warning("already_gone transport=%s id=%d: somebody else settled it", self.name, row_id)

    def reject(self, envelope: AnyEnvelope) -> None:
        """Delete the row of a message, unless its lease was lost and another worker has it."""
        row_id = self._id(envelope)
        if not self._changed(self._sql.delete(row_id, _lease(envelope))):
            log.warning("lease_lost transport=%s id=%d: gone or taken over, not removed", self.name, row_id)

    def requeue(self, received: AnyEnvelope, updated: AnyEnvelope) -> None:
        """Write `updated` into the row and free it, in one statement; not when the lease was lost."""
        row_id = self._id(received)
        body, headers = write_row(self._serializer.encode(updated))
        if not self._changed(self._sql.put_back(row_id, _lease(received), body, headers, _delay_seconds(updated))):
            log.warning("lease_lost transport=%s id=%d: gone or taken over, not put back", self.name, row_id)

    def keepalive(self, envelope: AnyEnvelope) -> None:
        """Move the lease forward. It uses a connection of its own, so it works while another thread waits."""
        lease = _lease(envelope)
        if lease is not None and not self._changed(self._sql.renew(self._id(envelope), lease)):
            log.warning("lease_lost transport=%s id=%d: gone or taken over", self.name, self._id(envelope))

    def hand_back(self, envelope: AnyEnvelope, *, begun: bool = False) -> None:
        """End the lease now; on a connection of its own, as keepalive does."""
        lease = _lease(envelope)
        if lease is not None and not self._changed(self._sql.hand_back(self._id(envelope), lease, counts=begun)):
            log.warning("lease_lost transport=%s id=%d: gone or taken over", self.name, self._id(envelope))

    @property
    def on_this_host(self) -> bool:
        """True when the database is a file, which no other host sees."""
        return self.options.url.get_backend_name() == "sqlite"

    @property
    def keepalive_interval(self) -> float:
        """A quarter of the lease, so that three missed calls do no harm."""
        return self.options.redeliver_timeout / 4

    def depth(self) -> Depth:
        """Counts of what is ready, in flight and delayed, all at one moment."""
        row = self._read(lambda connection: connection.execute(self._sql.depth()).one())
        ready, in_flight, delayed, oldest, since_due = row
        next_due = None if since_due is None else -float(since_due)
        return Depth(ready, in_flight, delayed, None if oldest is None else max(0.0, float(oldest)), next_due)

    def in_flight(self) -> Sequence[InFlight]:
        """Who holds rows; see ConsumerTransport. PHP workers leave no name."""
        held: dict[str, InFlight] = {}
        for owner, count, idle in self._read(lambda connection: connection.execute(self._sql.in_flight()).all()):
            name = (owner or "unnamed").split("/")[0]
            known = held.get(name, InFlight(name, 0, 0.0))
            held[name] = InFlight(name, known.count + count, max(known.idle_seconds, float(idle)))
        return sorted(held.values(), key=lambda one: -one.idle_seconds)

    def all(self, limit: int) -> Sequence[AnyEnvelope]:
        """Up to `limit` messages in the order they were first stored, the delayed and the taken ones too."""
        rows = self._read(lambda connection: connection.execute(self._sql.oldest(limit)).all())
        return [self._envelope(row) for row in rows]

    def find(self, message_id: str) -> AnyEnvelope | None:
        """Return the message with this id without taking it: reject and requeue work whichever worker has it."""
        if not _ID.fullmatch(message_id):
            return None
        row = self._read(lambda connection: connection.execute(self._sql.find(int(message_id))).one_or_none())
        return None if row is None else self._envelope(row)

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        self._database.close()

    def _wait(self, seconds: float, stop: Callable[[], bool]) -> None:
        """Let some time pass, `seconds` at most, before the next look."""
        _pause(time.monotonic() + min(seconds, POLL_SECONDS), stop)

    def _take(self, limit: int) -> list[AnyEnvelope]:
        self._put_clock_right()
        lease = f"{self._worker_id}/{secrets.token_hex(8)}"
        statement = self._sql.take(lease, limit, self._queues)
        rows = self._settle(lambda connection: connection.execute(statement).all())
        return [
            self._envelope(row, 0 < self._max_deliveries < row.delivery_count).with_stamps(
                DeliveryStamp(row.delivery_count), SqlLeaseStamp(lease)
            )
            for row in sorted(rows, key=lambda row: (row.available_at, row.id))
        ]

    def _put_clock_right(self) -> None:
        now = time.monotonic()
        if now < self._clock_at:
            return
        for statement in self._sql.from_the_future():
            self._changed(statement)
        self._clock_at = now + min(self.options.redeliver_timeout, _CLOCK_SECONDS)

    def _envelope(self, row: Row[Any], unread: bool = False) -> AnyEnvelope:
        envelope = read_row(self._serializer, row.body, row.headers, unread=unread)
        return envelope.with_stamps(TransportMessageIdStamp(str(row.id)))

    def _id(self, envelope: AnyEnvelope) -> int:
        stamp = envelope.last(TransportMessageIdStamp)
        if stamp is None or not _ID.fullmatch(stamp.id):
            raise TransportError(f"{self.name}: this envelope did not come from here: it has no id of this transport")
        return int(stamp.id)

    def _changed(self, statement: Any) -> bool:
        """Return True when a statement found its row."""
        return self._settle(lambda connection: connection.execute(statement).rowcount) > 0

    def _write(self, work: Callable[[Connection], T]) -> T:
        return self._with_schema(lambda: self._database.write(work))

    def _settle(self, work: Callable[[Connection], T]) -> T:
        return self._with_schema(lambda: self._database.settle(work))

    def _read(self, work: Callable[[Connection], T]) -> T:
        return self._with_schema(lambda: self._database.read(work))

    def _with_schema(self, run: Callable[[], T]) -> T:
        try:
            return run()
        except SchemaMissing as error:
            if not self.options.auto_setup:
                raise TransportError(
                    f"{error}; auto_setup is off for transport {self.name!r}: run `messenger setup-transports`"
                ) from error
        self.setup()
        return run()


def _lease(envelope: AnyEnvelope) -> str | None:
    stamp = envelope.last(SqlLeaseStamp)
    return None if stamp is None else stamp.owner


def _delay_seconds(envelope: AnyEnvelope) -> float:
    stamp = envelope.last(DelayStamp)
    return 0.0 if stamp is None else max(0, stamp.delay) / 1000


def _pause(until: float, stop: Callable[[], bool]) -> None:
    while not stop() and (left := until - time.monotonic()) > 0:
        time.sleep(min(left, _STOP_SECONDS))
