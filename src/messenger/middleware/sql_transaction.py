"""One SQL transaction around all handlers of a message (Symfony's `doctrine_transaction`)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from sqlalchemy import URL, Connection, RootTransaction
from sqlalchemy.exc import SQLAlchemyError

from messenger.envelope import AnyEnvelope
from messenger.errors import ConfigError, HandlerFailed, MessengerError
from messenger.handling.arguments import HandlerArguments
from messenger.handling.batch import NoAutoAckStamp, Unsettled
from messenger.messages import wire_name
from messenger.middleware.base import Next
from messenger.stamps import HandledStamp
from messenger.transports.base import TransportContext
from messenger.transports.sql.connection import Database
from messenger.transports.sql.options import DEFAULT_CONNECTION, find_url, read_url
from messenger.transports.transactions import SqlTransactions

log = logging.getLogger(__name__)


def create(
    arguments: Sequence[Any], where: str, context: TransportContext, handlers: HandlerArguments
) -> SqlTransaction:
    """Create the middleware ``doctrine_transaction`` or ``doctrine_transaction: [CONNECTION or URL]``.

    It connects at first use.

    Args:
        arguments: The arguments of messenger.yaml.
        where: File and key, for errors.
        context: The context of the application's transports.
        handlers: Handlers that ask for a Connection get the transaction's.

    Raises:
        ConfigError: An argument cannot be used.
    """
    if len(arguments) > 1 or not all(isinstance(argument, str) for argument in arguments):
        raise ConfigError(f"{where}: doctrine_transaction: allowed: one argument, a name of 'connections' or a SQL URL")
    database = arguments[0] if arguments else DEFAULT_CONNECTION
    if "://" in database:
        url = read_url(f"{where}: doctrine_transaction", database, context.state_dir)
    else:
        url = find_url(f"{where}: doctrine_transaction", database, context.connections, context.state_dir)
    handlers.provide_each(Connection, context.transactions.connection)
    return SqlTransaction(url, context.transactions)


class SqlTransaction:
    """Commits when every handler succeeded, else rolls back, so that the retry runs all of them again.

    A message that is dispatched and handled inside belongs to the transaction that is open already. Batch handlers run
    later, outside. transactions: those of the application.
    """

    def __init__(self, url: URL, transactions: SqlTransactions) -> None:
        self._url = url
        self._database = Database(url)
        self._transactions = transactions

    def handle(self, envelope: AnyEnvelope, following: Next) -> AnyEnvelope:
        """Go on within a transaction.

        Raises:
            HandlerFailed: A handler failed. Its envelope has no HandledStamps of this attempt.
            TransportUnavailable: The commit was not confirmed.
            MessengerError: The commit was refused.
        """
        outer = self._transactions.find(self._url)
        if isinstance(outer, HandlerTransaction):
            return _join(outer, envelope, following)
        transaction = HandlerTransaction(self._database, self._transactions, wire_name(type(envelope.message)))
        try:
            with self._transactions.opened(self._url, transaction):
                result = following(envelope)
        except HandlerFailed as error:
            transaction.roll_back()
            raise HandlerFailed(_handled_as_in(envelope, error.envelope), error.errors) from error.__cause__
        except BaseException:
            transaction.roll_back()
            raise
        left = result.last(NoAutoAckStamp)
        if left is None:
            transaction.commit()
        else:
            _end_before_batch(transaction, envelope, left.unsettled)
        return result

    def close(self) -> None:
        """Close the connections."""
        self._database.close()


class HandlerTransaction:
    """A transaction whose connection is opened at its first use. Without one, its end does nothing."""

    def __init__(self, database: Database, transactions: SqlTransactions, message: str) -> None:
        """Create it; nothing is opened yet.

        Args:
            database: The database.
            transactions: Notified of a rollback.
            message: Type of the message that is handled in it, for the log.
        """
        self._database = database
        self._transactions = transactions
        self._message = message
        self._connection: Connection | None = None
        self._root: RootTransaction | None = None
        self._refused: str | None = None

    def connection(self) -> Connection:
        """Return the connection, in its transaction.

        Raises:
            TransportUnavailable: The database cannot be reached.
        """
        if self._connection is None:
            with self._database.plain_errors():
                connection = self._database.connect()
                try:
                    self._root = connection.begin()
                except BaseException:
                    connection.close()
                    raise
                self._connection = connection
        return self._connection

    def refuse(self, why: str) -> None:
        """Part of what was written must not stay, so nothing can: the commit will raise."""
        self._refused = why

    def commit(self) -> None:
        """Commit. When this raises, nothing was committed, unless the connection broke: then it is unknown."""
        connection = self._connection
        if connection is None:
            return
        why = self._refused or _why_lost(connection)
        if why is not None:
            self.roll_back()
            raise MessengerError(f"{self._database.address}: the transaction was rolled back: {why}")
        self._tell_what_is_open(connection)
        try:
            with self._database.plain_errors():
                connection.commit()
        except BaseException:
            self.roll_back()
            raise
        self._connection = None
        connection.close()

    def roll_back(self) -> None:
        """Undo what was written. Never raises: the error that led here is the one to tell."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            connection.rollback()
        except SQLAlchemyError as error:  # the server is gone, and has rolled back by itself
            log.debug("not_rolled_back %s: %s", self._database.address, error)
        finally:
            connection.close()
            self._transactions.rolled_back(connection)

    def _tell_what_is_open(self, connection: Connection) -> None:
        """Log transactions left open, as Symfony's `doctrine_open_transaction_logger` does."""
        if connection.get_transaction() is not self._root:
            log.warning(
                "transaction_ended_by_handler type=%s: what it wrote before is not rolled back when a later "
                "handler fails; use connection.begin_nested() for a part",
                self._message,
            )
        elif connection.in_nested_transaction():
            log.warning(
                "transaction_left_open type=%s: a handler began a savepoint and did not end it; it is kept "
                "with the rest",
                self._message,
            )


def _why_lost(connection: Connection) -> str | None:
    """Why a commit would silently keep nothing; None when it keeps all."""
    if connection.closed:
        return "a handler closed its connection; leave that to doctrine_transaction"
    if connection.dialect.name != "postgresql" or connection.invalidated:
        return None
    from psycopg.pq import TransactionStatus

    if connection.connection.driver_connection.info.transaction_status == TransactionStatus.INERROR:  # type: ignore[union-attr]
        return (
            "a statement failed, and its handler went on; let the error out, or try such a statement within "
            "connection.begin_nested()"
        )
    return None


def _join(outer: HandlerTransaction, envelope: AnyEnvelope, following: Next) -> AnyEnvelope:
    try:
        return following(envelope)
    except HandlerFailed as error:
        outer.refuse(f"a message handled inside it failed, and the handler that dispatched it went on ({error})")
        raise


def _end_before_batch(transaction: HandlerTransaction, received: AnyEnvelope, unsettled: Unsettled) -> None:
    """A batch handler has the message too: it is settled when that is done, with what went wrong here."""
    try:
        if unsettled.errors:
            transaction.roll_back()
        else:
            transaction.commit()
    except MessengerError as error:
        unsettled.errors["doctrine_transaction"] = error
    if unsettled.errors:
        unsettled.envelope = _handled_as_in(received, unsettled.envelope)


def _handled_as_in(received: AnyEnvelope, envelope: AnyEnvelope) -> AnyEnvelope:
    """The envelope with the HandledStamps that `received` had: what others did was undone."""
    return envelope.without_all(HandledStamp).with_stamps(*received.all(HandledStamp))
