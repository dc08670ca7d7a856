"""Messages whose acknowledgement, retry or hand-over to a failure transport was not confirmed yet.

When the store that must confirm it is unavailable, the message stays in flight and its lease is renewed. Meanwhile the
worker goes on with its other transports. From the transport of such a message it takes no other, so that it never holds
more messages than it had when the store went away.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field

from messenger.errors import TransportError
from messenger.worker.receiver import Backoff
from messenger.worker.status import InFlightMessage

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class PendingAck:
    """A message whose handlers are done.

    Attributes:
        message: The message.
        error: What its handlers raised; None: it is to be acknowledged.
        milliseconds: How long its handlers took.
        reason: Why it could not be settled.
        next_try: Monotonic seconds.
    """

    message: InFlightMessage
    error: Exception | None
    milliseconds: float
    reason: str = ""
    next_try: float = 0.0
    backoff: Backoff = field(default_factory=Backoff)


class PendingAcks:
    """The pending messages of a worker.

    Attributes:
        items: The oldest first.
    """

    def __init__(self) -> None:
        self.items: list[PendingAck] = []

    def add(self, item: PendingAck, reason: TransportError) -> None:
        """Keep a message until it can be settled."""
        self.items.append(item)
        self.postpone(item, reason)

    def postpone(self, item: PendingAck, reason: TransportError) -> None:
        """Wait for the next try of a message, longer each time."""
        seconds = item.backoff.next()
        if str(reason) != item.reason:
            what = (item.message.transport.name, item.message.id)
            log.warning("not_settled transport=%s id=%s: %s: trying again", *what, reason)
        item.reason = str(reason)
        item.next_try = time.monotonic() + seconds

    def remove(self, item: PendingAck) -> None:
        """Forget a message that was settled."""
        self.items.remove(item)
        log.info("settled_late transport=%s id=%s", item.message.transport.name, item.message.id)

    def due(self) -> list[PendingAck]:
        """Return those whose wait is over."""
        now = time.monotonic()
        return [item for item in self.items if item.next_try <= now]

    def has(self, transport: str) -> bool:
        """Return True when a message of this transport is pending."""
        return any(item.message.transport.name == transport for item in self.items)

    @property
    def waiting_for(self) -> str | None:
        """Why the oldest pending message could not be settled; None when none is pending."""
        return next((item.reason for item in self.items), None)

    def next_try(self, transport: str) -> float:
        """Return the monotonic seconds of the next try for a message of this transport; 0 when none is pending."""
        return min((item.next_try for item in self.items if item.message.transport.name == transport), default=0.0)

    def log_left(self) -> None:
        """Log each message that a worker leaves behind as it stops."""
        for item in self.items:
            what = (item.message.transport.name, item.message.id)
            log.error("left_pending transport=%s id=%s: %s", *what, item.reason)
