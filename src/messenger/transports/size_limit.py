"""How large a message may be: refused at dispatch, where somebody can do something about it."""

from __future__ import annotations

from messenger.envelope import AnyEnvelope
from messenger.errors import MessageTooLarge
from messenger.messages import wire_name
from messenger.stamps import RedeliveryStamp, SerializedMessageStamp
from messenger.wire.encoded import UndecodableMessage


def check_size(envelope: AnyEnvelope, size: int, limit: int, whose: str) -> None:
    """Raise MessageTooLarge when a new message is larger than the limit.

    What was accepted once passes: a retry, a hand-over to a failure transport, what comes back from there.

    size: bytes as they are stored. limit: bytes; 0: none. whose: option and place of the limit, for the error.
    """
    if not limit or size <= limit or was_accepted(envelope):
        return
    raise MessageTooLarge(
        f"{wire_name(type(envelope.message))} is {size:,} bytes as it would be stored, and {whose} allows {limit:,}: "
        "keep the large part in a database or object store and send its key, or raise the limit"
    )


def was_accepted(envelope: AnyEnvelope) -> bool:
    """Whether a transport has had the message before: this is no dispatch by the application."""
    if isinstance(envelope.message, UndecodableMessage):
        return True
    return any(envelope.last(kind) is not None for kind in (RedeliveryStamp, SerializedMessageStamp))
