"""Message, correlation and causation id as plain headers."""

from __future__ import annotations

from messenger.envelope import AnyEnvelope
from messenger.stamps import MESSAGE_ID, MessageIdsStamp

MESSAGE_HEADER = "X-Messenger-Message-Id"
CORRELATION_HEADER = "X-Messenger-Correlation-Id"
CAUSATION_HEADER = "X-Messenger-Causation-Id"


def encode(envelope: AnyEnvelope) -> dict[str, str]:
    """The headers of its MessageIdsStamp."""
    stamp = envelope.last(MessageIdsStamp)
    if stamp is None:
        return {}
    headers = {MESSAGE_HEADER: stamp.message_id, CORRELATION_HEADER: stamp.correlation_id}
    if stamp.causation_id is not None:
        headers[CAUSATION_HEADER] = stamp.causation_id
    return headers


def take(headers: dict[str, str]) -> tuple[MessageIdsStamp | None, str]:
    """The stamp, taken out of `headers`. Nothing is taken when there are no ids or one of them is no id."""
    message_id = headers.get(MESSAGE_HEADER, "")
    correlation_id = headers.get(CORRELATION_HEADER, message_id)
    causation_id = headers.get(CAUSATION_HEADER)
    given = (message_id, correlation_id, message_id if causation_id is None else causation_id)
    if not all(MESSAGE_ID.fullmatch(value) for value in given):
        return None, ""
    for name in (MESSAGE_HEADER, CORRELATION_HEADER, CAUSATION_HEADER):
        headers.pop(name, None)
    return MessageIdsStamp(message_id, correlation_id, causation_id), ""
