"""Which message caused which: every dispatched message gets an id, and those of the message being handled."""

from __future__ import annotations

from contextvars import ContextVar

from messenger.envelope import AnyEnvelope
from messenger.middleware.base import BuiltInMiddleware, Next
from messenger.stamps import MessageIdsStamp, ReceivedStamp


class AddMessageIds(BuiltInMiddleware):
    """Adds a MessageIdsStamp to a dispatched message without one; a received message stays as it came.

    Attributes:
        current: Ids of the message being handled now, on any bus of the application.
    """

    unless = frozenset({MessageIdsStamp, ReceivedStamp})
    adds = frozenset({MessageIdsStamp})

    def __init__(self) -> None:
        self.current: ContextVar[MessageIdsStamp | None] = ContextVar("messenger.current_ids", default=None)

    def handle(self, envelope: AnyEnvelope, following: Next) -> AnyEnvelope:
        """Stamp and go on."""
        current = self.current.get()
        if current is None:
            return following(envelope.with_stamps(MessageIdsStamp()))
        ids = MessageIdsStamp(correlation_id=current.correlation_id, causation_id=current.message_id)
        return following(envelope.with_stamps(ids))


class FollowMessageIds(BuiltInMiddleware):
    """Makes this message the current one for the steps that follow: what they dispatch is caused by it.

    It stands after DispatchAfterCurrentBus: what waited there is a cause of its own when its turn comes.
    """

    def __init__(self, ids: AddMessageIds) -> None:
        self._ids = ids

    def handle(self, envelope: AnyEnvelope, following: Next) -> AnyEnvelope:
        """Go on, and make the message before the current one again."""
        before = self._ids.current.set(envelope.last(MessageIdsStamp))
        try:
            return following(envelope)
        finally:
            self._ids.current.reset(before)
