"""Lets a message from a failure transport reach the handlers of the transport it failed in."""

from __future__ import annotations

from messenger.envelope import AnyEnvelope
from messenger.middleware.base import BuiltInMiddleware, Next
from messenger.stamps import ReceivedStamp, SentToFailureTransportStamp


class FailedMessageProcessing(BuiltInMiddleware):
    """Adds a ReceivedStamp of the original transport, so that `from_transport` handlers match."""

    only_with = frozenset({SentToFailureTransportStamp, ReceivedStamp})

    def handle(self, envelope: AnyEnvelope, following: Next) -> AnyEnvelope:
        """Stamp a received message that says where it failed, and go on."""
        failed = envelope.last(SentToFailureTransportStamp)
        if failed is not None:
            envelope = envelope.with_stamps(ReceivedStamp(failed.original_receiver_name))
        return following(envelope)
