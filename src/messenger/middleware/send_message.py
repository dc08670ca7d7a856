"""Sends a message to the transports it is routed to; a received one goes on to its handlers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from messenger.envelope import AnyEnvelope
from messenger.errors import NoSenderForMessage, TransportError
from messenger.messages import wire_name
from messenger.middleware.base import BuiltInMiddleware, Next
from messenger.stamps import ReceivedStamp, SentStamp, TransportNamesStamp
from messenger.transports.base import Sender
from messenger.transports.transactions import SqlConnectionStamp

Senders = Sequence[tuple[str, Sender]]
"""Transport names and what sends to them, in order."""
# With one of these stamps a message has senders of its own, or must be refused by some of those of its class.
_SINGULAR = frozenset({TransportNamesStamp, SqlConnectionStamp})


class SendMessage(BuiltInMiddleware):
    """The step after which a routed message has left this process."""

    unless = frozenset({ReceivedStamp})

    def __init__(self, senders_for: Callable[[AnyEnvelope], Senders], *, allow_no_senders: bool = True) -> None:
        """Create it.

        Args:
            senders_for: Finds the senders of an envelope. It is asked once for each message class, and for each message
                that names its transports itself.
            allow_no_senders: Handle a message at once that is routed nowhere.
        """
        self._senders_for = senders_for
        self._by_class: dict[type, Senders] = {}
        self._allow_no_senders = allow_no_senders

    def handle(self, envelope: AnyEnvelope, following: Next) -> AnyEnvelope:
        """Send the message to each of its transports and end the chain; without transports, go on.

        Raises:
            NoSenderForMessage: The message is routed nowhere, and the bus sends every message.
            TransportError: A transport refused the message.
        """
        cls = type(envelope.message)
        senders = self._by_class.get(cls)
        if not _SINGULAR.isdisjoint(map(type, envelope.stamps)):
            senders = self._senders_for(envelope)
        elif senders is None:
            senders = self._by_class[cls] = self._senders_for(envelope)
        if not senders:
            if not self._allow_no_senders:
                name = wire_name(cls)
                raise NoSenderForMessage(
                    f"{name} is routed to no transport: name one under 'routing' in messenger.yaml"
                )
            return following(envelope)
        for name, sender in senders:
            envelope = sender.send(envelope.with_stamps(SentStamp(name)))
        return envelope


def refuse_outside(envelope: AnyEnvelope, senders: Sequence[tuple[str, Sender]]) -> None:
    """Refuse a message with a SqlConnectionStamp unless every sender can join its transaction.

    Otherwise it would be sent before the commit, and even after a rollback.

    Raises:
        TransportError: A sender cannot join.
    """
    for name, sender in senders if envelope.last(SqlConnectionStamp) is not None else ():
        if not getattr(sender, "joins_transaction", False):
            raise TransportError(
                f"{name!r} cannot store a message within a SQL transaction, as its SqlConnectionStamp asks: give it an "
                f"outbox (transports.{name}.outbox in messenger.yaml); nothing was sent"
            )
