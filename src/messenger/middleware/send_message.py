"""Sends a message to the transports it is routed to; a received one goes on to its handlers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from messenger.envelope import AnyEnvelope
from messenger.errors import NoSenderForMessage, TransportError
from messenger.messages import wire_name
from messenger.middleware.base import Next
from messenger.stamps import ReceivedStamp, SentStamp
from messenger.transports.base import Sender
from messenger.transports.transactions import SqlConnectionStamp


class SendMessage:
    """The step after which a routed message has left this process.

    senders_for: the senders of an envelope, by transport name, in order.
    allow_no_senders: handle a message at once that is routed nowhere.
    """

    def __init__(
        self, senders_for: Callable[[AnyEnvelope], Sequence[tuple[str, Sender]]], *, allow_no_senders: bool = True
    ) -> None:
        self._senders_for = senders_for
        self._allow_no_senders = allow_no_senders

    def handle(self, envelope: AnyEnvelope, following: Next) -> AnyEnvelope:
        """Send to each transport and end the chain, or go on when there is none.

        Raises NoSenderForMessage.
        """
        if envelope.last(ReceivedStamp) is not None:
            return following(envelope)
        senders = self._senders_for(envelope)
        if not senders:
            if not self._allow_no_senders:
                name = wire_name(type(envelope.message))
                raise NoSenderForMessage(
                    f"{name} is routed to no transport: name one under 'routing' in messenger.yaml"
                )
            return following(envelope)
        for name, sender in senders:
            envelope = sender.send(envelope.with_stamps(SentStamp(name)))
        return envelope


def refuse_outside(envelope: AnyEnvelope, senders: Sequence[tuple[str, Sender]]) -> None:
    """A message that is to be sent with a transaction must not be sent before, nor when that is rolled back.

    Raises TransportError when it has a SqlConnectionStamp and one of the senders cannot take part.
    """
    for name, sender in senders if envelope.last(SqlConnectionStamp) is not None else ():
        if not getattr(sender, "joins_transaction", False):
            raise TransportError(
                f"{name!r} cannot store a message within a SQL transaction, as its SqlConnectionStamp asks: give it an "
                f"outbox (transports.{name}.outbox in messenger.yaml); nothing was sent"
            )
