"""The SQL transactions that are open around the running handlers, so that their sends join them.

SQLAlchemy is not imported here: an application without SQL has this object too, and it stays empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary

from messenger.errors import HandlerDefinitionError
from messenger.stamps import LocalStamp

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection


class SqlConnectionStamp(LocalStamp, frozen=True):
    """Stores the message within the transaction of a connection: it is sent when that is committed, or never.

    Attributes:
        connection: A SQLAlchemy connection to the database of the SQL transport that the message goes to, or of its
            outbox.
    """

    connection: Connection


class StoredInTransactionStamp(LocalStamp, frozen=True):
    """Records that the message is stored within a transaction, and is gone if that is rolled back.

    Attributes:
        connection: The connection of the transaction.
    """

    connection: Connection


class OpenTransaction(Protocol):
    """A transaction that is committed or rolled back elsewhere."""

    def connection(self) -> Connection:
        """Return the connection of the transaction; the first call opens it.

        Raises:
            TransportUnavailable: The database cannot be reached.
        """
        ...


@dataclass(slots=True)
class _Opened:
    """A transaction and its database.

    Attributes:
        url: URL of the database.
        transaction: The transaction.
        is_open: False after its end; code that a handler left running may see it later.
    """

    url: URL
    transaction: OpenTransaction
    is_open: bool = True


class SqlTransactions:
    """The open transactions of an application. The context has those of the current handler, the innermost last."""

    def __init__(self) -> None:
        self._opened: ContextVar[tuple[_Opened, ...]] = ContextVar("messenger.transports.transactions", default=())
        self._undo: WeakKeyDictionary[Connection, list[Callable[[], None]]] = WeakKeyDictionary()

    @contextmanager
    def opened(self, url: URL, transaction: OpenTransaction) -> Iterator[None]:
        """Let sends to a database join a transaction within the ``with`` block.

        Args:
            url: URL of the database.
            transaction: The transaction.
        """
        opened = _Opened(url, transaction)
        before = self._opened.set((*self._opened.get(), opened))
        try:
            yield
        finally:
            opened.is_open = False
            self._opened.reset(before)

    def find(self, url: URL) -> OpenTransaction | None:
        """Return the innermost open transaction of a database, or None."""
        around = reversed(self._opened.get())
        return next((each.transaction for each in around if each.is_open and each.url == url), None)

    def on_roll_back(self, connection: Connection, undo: Callable[[], None]) -> None:
        """Call a function if the open transaction of a connection is rolled back.

        Args:
            connection: The connection to Redis.
            undo: The function. It must not refer to the connection, which could then never be freed.
        """
        if connection not in self._undo:
            from sqlalchemy import event

            event.listen(connection, "begin", self._forget)  # not at the commit: it may fail after the event
            event.listen(connection, "rollback", self.rolled_back)
        self._undo.setdefault(connection, []).append(undo)

    def rolled_back(self, connection: Connection) -> None:
        """Call the functions of `on_roll_back` for a connection, each once."""
        undo = self._undo.get(connection, [])
        while undo:
            undo.pop()()

    def _forget(self, connection: Connection) -> None:
        self._undo[connection].clear()

    def connection(self) -> Connection:
        """Return the connection of the innermost transaction, for a handler parameter annotated with Connection.

        Raises:
            HandlerDefinitionError: No transaction is open.
            TransportUnavailable: The database cannot be reached.
        """
        found = [each for each in self._opened.get() if each.is_open]
        if not found:
            raise HandlerDefinitionError(
                "a handler asks for a Connection, and its bus opens no transaction: name doctrine_transaction under "
                "'middleware' of that bus in messenger.yaml"
            )
        return found[-1].transaction.connection()
