"""The size limit of messages, checked at dispatch, where the sender can react."""

from __future__ import annotations

from messenger.envelope import AnyEnvelope
from messenger.errors import MessageTooLarge
from messenger.messages import wire_name
from messenger.stamps import RedeliveryStamp, SerializedMessageStamp
from messenger.wire.encoded import UndecodableMessage


def check_size(envelope: AnyEnvelope, size: int, limit: int, whose: str) -> None:
    """Check the size of a new message. One that was accepted before passes, as at a retry.

    Args:
        envelope: The message.
        size: Bytes as it is stored.
        limit: Bytes; 0 means no limit.
        whose: Option and place of the limit, for the error.

    Raises:
        MessageTooLarge: It is larger than the limit.
    """
    if not limit or size <= limit or was_accepted(envelope):
        return
    raise MessageTooLarge(
        f"{wire_name(type(envelope.message))} is {size:,} bytes as it would be stored, and {whose} allows {limit:,}: "
        "keep the large part in a database or object store and send its key, or raise the limit"
    )


def was_accepted(envelope: AnyEnvelope) -> bool:
    """Return True when a transport has had the message before, so that this is not the application's dispatch."""
    if isinstance(envelope.message, UndecodableMessage):
        return True
    return any(envelope.last(kind) is not None for kind in (RedeliveryStamp, SerializedMessageStamp))
