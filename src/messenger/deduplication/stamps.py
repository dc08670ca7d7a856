"""The stamps of deduplication (docs/deduplication.md)."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from messenger.stamps import LocalStamp, Stamp


class DeduplicateStamp(Stamp, frozen=True):
    """Prevents another message with the same key from being sent while this one is on its way (docs/deduplication.md).

    Attributes:
        key: 1 to 500 characters; one key space for all message classes and buses of an application.
        ttl: Seconds, 3 to a year, after which the key is free unless it was renewed. A worker renews it while it has
            the message, but it is not renewed in the queue: choose more than the time that messages wait there. A delay
            is added to it.
        only_in_queue: True frees the key before the message is handled, False after it.
        owner: Message id of the owner of the key, set by the bus that sends the message.

    Raises:
        ValueError: A value is out of range.
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
    """Marks a message that was not sent because another one has the same key (see DeduplicateStamp).

    Attributes:
        message_id: Message id of the other message.
    """

    message_id: str


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
