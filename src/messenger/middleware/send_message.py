"""Sends a message to the transports it is routed to; a received one goes on to its handlers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from messenger.envelope import AnyEnvelope
from messenger.middleware.base import Next
from messenger.stamps import ReceivedStamp, SentStamp
from messenger.transports.base import Sender


class SendMessage:
    """The step after which a routed message has left this process.

    senders_for: the senders of an envelope, by transport name, in order.
    """

    def __init__(self, senders_for: Callable[[AnyEnvelope], Sequence[tuple[str, Sender]]]) -> None:
        self._senders_for = senders_for

    def handle(self, envelope: AnyEnvelope, following: Next) -> AnyEnvelope:
        """Send to each transport and end the chain, or go on when there is none (spec section 3)."""
        if envelope.last(ReceivedStamp) is not None:
            return following(envelope)
        senders = self._senders_for(envelope)
        if not senders:
            return following(envelope)
        for name, sender in senders:
            envelope = sender.send(envelope.with_stamps(SentStamp(name)))
        return envelope
