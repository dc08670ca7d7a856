"""The failure store: the messages of a failure transport, for operators to list, retry and remove."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from messenger.deduplication.message_locks import MessageLocks
from messenger.envelope import AnyEnvelope
from messenger.errors import (
    HandlerFailed,
    MessageDecodingFailed,
    MessengerError,
    TransportError,
    TransportUnavailable,
)
from messenger.failure.handling import redelivery, with_error
from messenger.failure.retry import retry_count
from messenger.messages import wire_name
from messenger.middleware.deduplicate import take_again
from messenger.printable import text_of
from messenger.stamps import (
    DelayStamp,
    DeliveryStamp,
    ErrorDetailsStamp,
    HandledStamp,
    ReceivedStamp,
    RedeliveryStamp,
    SentToFailureTransportStamp,
    TransportMessageIdStamp,
)
from messenger.transports.base import ListableTransport, Transport
from messenger.wire.encoded import UndecodableMessage

EVERYTHING = 2**63 - 1  # as a limit: no limit


class NotRemoved(TransportUnavailable):
    """A failed message is where it shall be, but its store was away before it could be removed there."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Conditions that select failed messages. A condition that is None is not checked.

    Attributes:
        types: Wire names.
        since: Earliest time of the failure, inclusive.
        until: Latest time of the failure, inclusive.
    """

    types: frozenset[str] | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_everything(self) -> bool:
        """True when every message is selected."""
        return self == Selection()

    def matches(self, envelope: AnyEnvelope) -> bool:
        """Return True when a message is selected. A message without a time of failure matches no limit of time."""
        if self.types is not None and message_type(envelope) not in self.types:
            return False
        if self.since is None and self.until is None:
            return True
        moment = failed_at(envelope)
        if moment is None:
            return False
        return (self.since is None or self.since <= moment) and (self.until is None or moment <= self.until)


def message_type(envelope: AnyEnvelope) -> str:
    """Return the wire name of a message, also of one that cannot be decoded; "undecodable" when it has none."""
    message = envelope.message
    if isinstance(message, UndecodableMessage):
        return message.headers.get("type") or "undecodable"
    return wire_name(type(message))


def failed_at(envelope: AnyEnvelope) -> datetime | None:
    """Return the time of a message's last failure, or None. A time without a zone is read as UTC."""
    stamp = envelope.last(RedeliveryStamp)
    if stamp is None:
        return None
    return stamp.redelivered_at if stamp.redelivered_at.tzinfo is not None else stamp.redelivered_at.replace(tzinfo=UTC)


class Application(Protocol):
    """What the store of failed messages needs of messenger.application.Application."""

    locks: MessageLocks

    def transport(self, name: str) -> Transport:
        """Return the transport of this name. Raises ConfigError."""
        ...

    def dispatch_received(self, envelope: AnyEnvelope) -> AnyEnvelope:
        """Handle a received message on its bus."""
        ...


class FailedMessages:
    """The messages in one failure transport.

    Attributes:
        name: Name of the transport.
    """

    def __init__(self, application: Application, name: str) -> None:
        """Open a failure transport.

        Args:
            application: The application.
            name: Name of the transport.

        Raises:
            ConfigError: There is no such transport.
            TransportError: The transport cannot list its messages.
        """
        self.name = name
        self._application = application
        self._transport = application.transport(name)
        if not isinstance(self._transport, ListableTransport):
            raise TransportError(f"the transport {name!r} cannot list its messages")
        self._list: ListableTransport = self._transport

    @property
    def on_this_host(self) -> bool:
        """True when the messages are in a file of this host, so that another host has others."""
        return bool(getattr(self._transport, "on_this_host", False))

    def all(self, limit: int = EVERYTHING) -> Sequence[AnyEnvelope]:
        """Return up to `limit` messages, oldest first."""
        return self._list.all(limit)

    def select(self, selection: Selection, limit: int = EVERYTHING) -> Sequence[AnyEnvelope]:
        """Return up to `limit` of the selected messages, oldest first. Unless all are selected, all are read."""
        if selection.is_everything:
            return self.all(limit)
        return [envelope for envelope in self._list.all(EVERYTHING) if selection.matches(envelope)][:limit]

    def find(self, message_id: str) -> AnyEnvelope | None:
        """Return the message with this transport message id, or None."""
        return self._list.find(message_id)

    def send_back(self, envelope: AnyEnvelope) -> str:
        """Send a message to the transport it came from and, once that is confirmed, remove it here.

        Its retry count starts again; handlers that succeeded are still skipped. A message that cannot be decoded is
        sent unchanged, for a release that can decode it.

        Args:
            envelope: The message.

        Returns:
            The name of the transport it was sent to.

        Raises:
            MessageIsDuplicate: Another message with its deduplication key is on its way.
            NotRemoved: It was sent, but not removed here.
            TransportError: Its origin is unknown, or the transport refused it.
        """
        target = self._origin(envelope)
        fresh = envelope
        for kind in (SentToFailureTransportStamp, DelayStamp, RedeliveryStamp, TransportMessageIdStamp, DeliveryStamp):
            fresh = fresh.without_all(kind)
        transport, locks = self._application.transport(target), self._application.locks
        take_again(locks, fresh)
        try:
            transport.send(fresh)
        except BaseException:
            locks.release(fresh)
            raise
        self._forget(envelope, f"sent to {target!r}")
        return target

    def handle(self, envelope: AnyEnvelope) -> None:
        """Handle a message in this process and remove it on success; on failure it stays.

        Args:
            envelope: The message.

        Raises:
            HandlerFailed: A handler failed.
            NoHandlerForMessage: The message has no handler.
            MessageDecodingFailed: The message cannot be decoded here.
            MessageIsDuplicate: Another message with its deduplication key is on its way.
            NotRemoved: It was handled, but not removed here.
            MessengerError: Something else was raised.
        """
        if isinstance(envelope.message, UndecodableMessage):
            raise MessageDecodingFailed(
                f"it cannot be read here ({envelope.message.reason}); deploy a release that can read it, or retry "
                "it without --now: then its bytes go back to its transport as they came"
            )
        take_again(self._application.locks, envelope)
        try:
            self._application.dispatch_received(envelope.with_stamps(ReceivedStamp(self.name)))
        except Exception as error:
            self._keep(envelope, error)
            if isinstance(error, MessengerError):
                raise
            raise MessengerError(f"{type(error).__name__}: {text_of(error)}") from error
        else:
            self._forget(envelope, "handled")
        finally:
            self._application.locks.release(envelope)

    def remove(self, envelope: AnyEnvelope) -> None:
        """Remove a message permanently."""
        self._transport.reject(envelope)

    def _keep(self, envelope: AnyEnvelope, error: Exception) -> None:
        """Record which handlers have succeeded, so that they are not run again, and the error if it is another one.

        Without news the message is not touched, so that it keeps its id in a store whose entries cannot be changed.
        """
        failed = with_error(error.envelope if isinstance(error, HandlerFailed) else envelope, error)
        if _known(failed) != _known(envelope):
            self._transport.requeue(envelope, redelivery(failed, 0, retry_count(failed) + 1))

    def _forget(self, envelope: AnyEnvelope, done: str) -> None:
        try:
            self._transport.reject(envelope)
        except TransportError as error:
            raise NotRemoved(
                f"it was {done}, but could not be removed from {self.name!r}; remove it there, or it is handled again: "
                f"{error}"
            ) from error

    def _origin(self, envelope: AnyEnvelope) -> str:
        stamp = envelope.last(SentToFailureTransportStamp)
        if stamp is None:
            raise TransportError("it does not say which transport it came from; use --now, or remove it")
        return stamp.original_receiver_name


def _known(envelope: AnyEnvelope) -> tuple[object, ...]:
    """Return the recorded state of a failure: the error, and the handlers that succeeded."""
    error = envelope.last(ErrorDetailsStamp)
    what = (error.exception_class, error.exception_code, error.exception_message) if error is not None else None
    return (what, *(stamp.handler_name for stamp in envelope.all(HandledStamp)))
