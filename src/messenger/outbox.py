"""Transactional outbox: a message to a transport is stored in a SQL table first, and a worker relays it.

The row is written in the application's own transaction, so that the message exists exactly when the business data does.
The worker that consumes the outbox sends it to its target and removes the row once that is confirmed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from messenger.bus import MessageBus
from messenger.envelope import AnyEnvelope, Envelope
from messenger.errors import UnrecoverableError
from messenger.messages import message
from messenger.middleware.base import Next
from messenger.stamps import (
    DelayStamp,
    MessageIdsStamp,
    ReceivedStamp,
    SentToFailureTransportStamp,
    Stamp,
    TransportMessageIdStamp,
)
from messenger.transports.base import Sender
from messenger.transports.size_limit import check_size
from messenger.transports.transactions import SqlConnectionStamp, StoredInTransactionStamp
from messenger.wire.encoded import Encoded
from messenger.wire.serializer import Serializer, encode_value

# Of the message's stamps those that are about its row too: when it is due, which transaction it is in, whose log line.
_OF_THE_ROW: tuple[type[Stamp], ...] = (DelayStamp, MessageIdsStamp, SqlConnectionStamp)


@message(name="messenger.Relay")
@dataclass(frozen=True, slots=True)
class Relay:
    """A message on its way through an outbox.

    Attributes:
        transport: Name of the target transport.
        body: The body as the target stores it.
        headers: The headers as the target stores them.
    """

    transport: str
    body: str
    headers: dict[str, str]


class OutboxSender:
    """Sender in the place of a transport that has an outbox: it stores messages in the outbox."""

    joins_transaction = True

    def __init__(self, name: str, target: Sender, outbox: Sender, serializer: Serializer) -> None:
        """Create a sender.

        Args:
            name: Name of the target transport.
            target: The target transport.
            outbox: The transport of the outbox.
            serializer: Writes the message as the target stores it.
        """
        self._name = name
        self._target = target
        self._outbox = outbox
        self._serializer = serializer

    def send(self, envelope: AnyEnvelope) -> AnyEnvelope:
        """Store a message in the outbox. A DelayStamp keeps it there; the TransportMessageIdStamp is the outbox's.

        Raises:
            TransportUnavailable: The outbox is unavailable.
            TransportError: The outbox refused the message.
            MessageEncodingFailed: The message cannot be written, or is too large for its target.
        """
        encoded = self._serializer.encode(envelope.without_all(DelayStamp))
        self._check_size(envelope, encoded)
        stamps = [stamp for stamp in envelope.stamps if isinstance(stamp, _OF_THE_ROW)]
        sent = self._outbox.send(Envelope(Relay(self._name, encoded.body, encoded.headers), stamps))
        return envelope.with_stamps(*sent.all(StoredInTransactionStamp), TransportMessageIdStamp(sent.id or ""))

    def _check_size(self, envelope: AnyEnvelope, encoded: Encoded) -> None:
        """Check the size limit of the target. It is for new messages; relaying ignores it."""
        limit: int = getattr(getattr(self._target, "options", None), "max_message_bytes", 0)
        if limit:
            whose = f"max_message_bytes of the transport {self._name!r}"
            check_size(envelope, len(encode_value(encoded)), limit, whose)


class Outboxes:
    """The outboxes of an application, and the bus that relays their messages."""

    def __init__(
        self,
        names: Mapping[str, str],
        failure_transports: Mapping[str, str | None],
        sender: Callable[[str], Sender],
        serializer: Serializer,
    ) -> None:
        """Create it.

        Args:
            names: Name of the outbox by the name of its target transport.
            failure_transports: Name of the failure transport by transport name.
            sender: Returns a transport by name.
            serializer: Reads and writes the messages.
        """
        self._names = names
        self._failure_transports = failure_transports
        self._sender = sender
        self._serializer = serializer
        self._bus = MessageBus([self], name="messenger.outbox")

    def sender(self, name: str) -> Sender:
        """Return the sender for dispatched messages of a transport: its outbox if it has one, else the transport."""
        outbox = self._names.get(name)
        target = self._sender(name)
        return target if outbox is None else OutboxSender(name, target, self._sender(outbox), self._serializer)

    def bus_for(self, envelope: AnyEnvelope) -> MessageBus | None:
        """Return the bus that relays this message; None when the message did not come through an outbox."""
        return self._bus if isinstance(envelope.message, Relay) else None

    def handle(self, envelope: AnyEnvelope, following: Next) -> AnyEnvelope:
        """Relay a message to its target as it was written, even when it cannot be decoded here.

        Raises:
            UnrecoverableError: The message did not come from the outbox of its target.
            TransportUnavailable: The target is unavailable. The message waits in the outbox and no attempt is used up.
            MessengerError: The other errors of sending.
        """
        relay = envelope.message
        if not self._is_from_outbox(envelope, self._names.get(relay.transport)):
            raise UnrecoverableError(
                f"a message for {relay.transport!r} came from a transport that messenger.yaml does not name as its "
                "outbox; it is not passed on"
            )
        self._sender(relay.transport).send(self._serializer.decode(Encoded(relay.body, dict(relay.headers))))
        return following(envelope)

    def _is_from_outbox(self, envelope: AnyEnvelope, outbox: str | None) -> bool:
        received = envelope.last(ReceivedStamp)
        if received is None or outbox is None:
            return False
        failed = envelope.last(SentToFailureTransportStamp)
        if failed is not None and failed.original_receiver_name == outbox:
            return received.transport_name in (outbox, self._failure_transports[outbox])
        return received.transport_name == outbox
