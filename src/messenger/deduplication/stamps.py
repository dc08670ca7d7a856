"""The stamps of deduplication (docs/deduplication.md)."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from messenger.stamps import LocalStamp, Stamp


class DeduplicateStamp(Stamp, frozen=True):
    """While this message is on its way, another one with the same key is not sent (docs/deduplication.md).

    key: 1 to 500 characters; the same for every message class and bus of an application.
    ttl: seconds, 3 to a year, after which the key is free again if nobody has renewed it. A worker does while it has
    the message; in the queue nobody does, so it should be longer than messages wait there. A delay is added to it.
    only_in_queue: the key is free once the message begins to be handled, not when it has been.
    owner: who has the lock, set by the bus that sends the message: its message id.

    Raises ValueError for another key or ttl.
    """

    key: str
    ttl: float = 300.0
    only_in_queue: bool = False
    owner: str | UnsetType = UNSET

    def __post_init__(self) -> None:
        if not (isinstance(self.key, str) and 0 < len(self.key) <= 500 and _is_utf8(self.key)):
            raise ValueError(f"the key of a DeduplicateStamp is a text of 1 to 500 characters, not {self.key!r:.100}")
        if not (isinstance(self.ttl, int | float) and 3 <= self.ttl <= 31_622_400):
            raise ValueError(f"the ttl of a DeduplicateStamp is 3 to 31622400 seconds, not {self.ttl!r:.100}")
        if self.owner is not UNSET and not (isinstance(self.owner, str) and 0 < len(self.owner) <= 200):
            raise ValueError(f"the owner of a DeduplicateStamp has 1 to 200 characters, not {self.owner!r:.100}")


class DuplicateOfStamp(LocalStamp, frozen=True):
    """The message was not sent: the one with this message id has the same key (see DeduplicateStamp)."""

    message_id: str


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
