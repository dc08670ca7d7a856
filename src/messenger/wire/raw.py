"""What was received and is no envelope at all, as the bytes that it was."""

from __future__ import annotations

import base64

from messenger.envelope import AnyEnvelope
from messenger.stamps import DelayStamp, RedeliveryStamp
from messenger.wire.encoded import UndecodableMessage
from messenger.wire.stored import RAW_HEADER


def raw_value(envelope: AnyEnvelope) -> bytes | None:
    """The bytes that `undecodable_value` was given, for who sends them back; None when there is more to say."""
    message = envelope.message
    if not isinstance(message, UndecodableMessage) or message.headers != {RAW_HEADER: "base64"}:
        return None
    if envelope.last(RedeliveryStamp) is not None or envelope.last(DelayStamp) is not None:
        return None
    try:
        return base64.b64decode(message.body, validate=True)
    except ValueError:
        return None
