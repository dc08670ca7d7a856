"""A failure transport as operators see it: a list of messages to look at, to retry, or to remove."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from messenger.application import Application
from messenger.envelope import AnyEnvelope
from messenger.errors import MessageDecodingFailed, TransportError
from messenger.stamps import (
    DelayStamp,
    DeliveryStamp,
    ReceivedStamp,
    RedeliveryStamp,
    SentToFailureTransportStamp,
    TransportMessageIdStamp,
)
from messenger.transports.base import ListableTransport
from messenger.wire.serializer import UndecodableMessage

_PAGE = 1000


class FailedMessages:
    """The messages in one failure transport. Raises TransportError when it cannot be listed."""

    def __init__(self, application: Application, name: str) -> None:
        self.name = name
        self._application = application
        self._transport = application.transport(name)
        if not isinstance(self._transport, ListableTransport):
            raise TransportError(f"the transport {name!r} cannot list its messages")
        self._list: ListableTransport = self._transport

    def all(self, limit: int) -> Sequence[AnyEnvelope]:
        """Up to `limit` messages, oldest first."""
        return self._list.all(limit)

    def everything(self) -> Iterator[AnyEnvelope]:
        """All that are there now, page by page; the caller takes each out, or it is not listed again."""
        seen: set[str | None] = set()
        while True:
            fresh = [e for e in self._list.all(_PAGE + len(seen)) if e.id not in seen]
            if not fresh:
                return
            for envelope in fresh:
                seen.add(envelope.id)
                yield envelope

    def find(self, message_id: str) -> AnyEnvelope | None:
        """The message with this id."""
        return self._list.find(message_id)

    def send_back(self, envelope: AnyEnvelope) -> str:
        """Send a message to the transport it came from, confirmed, then remove it here. Returns that transport's name.

        Its retry count starts again; handlers that succeeded are still skipped. What could not be decoded is sent as
        it came, for a release that can decode it (R33).
        """
        target = self._origin(envelope)
        fresh = envelope
        for kind in (SentToFailureTransportStamp, DelayStamp, RedeliveryStamp, TransportMessageIdStamp, DeliveryStamp):
            fresh = fresh.without_all(kind)
        self._application.transport(target).send(fresh)
        self._transport.reject(envelope)
        return target

    def handle(self, envelope: AnyEnvelope) -> str:
        """Handle a message in this process and remove it when that succeeded; it stays when it did not.

        Raises HandlerFailed, NoHandlerForMessage, MessageDecodingFailed.
        """
        if isinstance(envelope.message, UndecodableMessage):
            raise MessageDecodingFailed(envelope.message.reason)
        target = self._origin(envelope)
        self._application.dispatch_received(envelope.with_stamps(ReceivedStamp(self.name)))
        self._transport.reject(envelope)
        return target

    def remove(self, envelope: AnyEnvelope) -> None:
        """Remove a message for good."""
        self._transport.reject(envelope)

    def _origin(self, envelope: AnyEnvelope) -> str:
        stamp = envelope.last(SentToFailureTransportStamp)
        if stamp is None:
            raise TransportError("it does not say which transport it came from; remove it, or dispatch it again")
        return stamp.original_receiver_name
