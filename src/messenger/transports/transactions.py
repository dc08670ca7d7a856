"""Which SQL transactions are open around the handlers that run now, so that what they send joins them.

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
    """Store the message within the transaction of this connection: it is sent when that is committed, or never.

    connection: SQLAlchemy's, to the database of the SQL transport that the message goes to, or of its outbox.
    """

    connection: Connection


class StoredInTransactionStamp(LocalStamp, frozen=True):
    """The message is stored within the transaction of this connection, and gone if that is rolled back."""

    connection: Connection


class OpenTransaction(Protocol):
    """A transaction that somebody else commits or rolls back."""

    def connection(self) -> Connection:
        """The connection it runs on, opened when it is first asked for. Raises TransportUnavailable."""
        ...


@dataclass(slots=True)
class _Opened:
    """A transaction and its database. is_open: until its end; what a handler left running may see it later."""

    url: URL
    transaction: OpenTransaction
    is_open: bool = True


class SqlTransactions:
    """One object for an application. Those around the current handler are known by the context, the innermost last."""

    def __init__(self) -> None:
        self._opened: ContextVar[tuple[_Opened, ...]] = ContextVar("messenger.transports.transactions", default=())
        self._undo: WeakKeyDictionary[Connection, list[Callable[[], None]]] = WeakKeyDictionary()

    @contextmanager
    def opened(self, url: URL, transaction: OpenTransaction) -> Iterator[None]:
        """Inside, sends to this database join the transaction."""
        opened = _Opened(url, transaction)
        before = self._opened.set((*self._opened.get(), opened))
        try:
            yield
        finally:
            opened.is_open = False
            self._opened.reset(before)

    def find(self, url: URL) -> OpenTransaction | None:
        """The innermost open transaction of this database."""
        around = reversed(self._opened.get())
        return next((each.transaction for each in around if each.is_open and each.url == url), None)

    def on_roll_back(self, connection: Connection, undo: Callable[[], None]) -> None:
        """Call `undo` if the transaction that this connection has open now is rolled back.

        undo: it must not hold the connection, which would then never be let go of.
        """
        if connection not in self._undo:
            from sqlalchemy import event

            event.listen(connection, "begin", self._forget)  # not at the commit: it may fail after it was told
            event.listen(connection, "rollback", self.rolled_back)
        self._undo.setdefault(connection, []).append(undo)

    def rolled_back(self, connection: Connection) -> None:
        """What was done besides in the transaction of this connection is undone, once."""
        undo = self._undo.get(connection, [])
        while undo:
            undo.pop()()

    def _forget(self, connection: Connection) -> None:
        self._undo[connection].clear()

    def connection(self) -> Connection:
        """The connection of the innermost transaction: what a handler gets that asks for a Connection.

        Raises HandlerDefinitionError when none is open, TransportUnavailable.
        """
        found = [each for each in self._opened.get() if each.is_open]
        if not found:
            raise HandlerDefinitionError(
                "a handler asks for a Connection, and its bus opens no transaction: name doctrine_transaction under "
                "'middleware' of that bus in messenger.yaml"
            )
        return found[-1].transaction.connection()
