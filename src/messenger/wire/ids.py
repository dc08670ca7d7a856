"""Message, correlation and causation id as plain headers."""

from __future__ import annotations

import re
import uuid

from msgspec.structs import force_setattr

from messenger.envelope import AnyEnvelope
from messenger.printable import printable
from messenger.stamps import Stamp

MESSAGE_HEADER = "X-Messenger-Message-Id"
CORRELATION_HEADER = "X-Messenger-Correlation-Id"
CAUSATION_HEADER = "X-Messenger-Causation-Id"
_ID = re.compile(r"[A-Za-z0-9_.:@/+=-]{1,200}")  # nothing that could forge a log line


class MessageIdsStamp(Stamp, frozen=True):
    """Which message this is, and why it exists; travels in the headers X-Messenger-{Message,Correlation,Causation}-Id.

    Each is 1 to 200 letters, digits and ``_.:@/+=-``; other characters cannot travel.

    message_id: stays the same on every transport, through retries and the failure transport. Default: a new one.
    correlation_id: the message_id of the first message of the chain that led here, or an id from outside, such as a
    request's. Default: the message_id.
    causation_id: the message_id of the message whose handling dispatched this one; None at the start of a chain.

    Raises ValueError for what is no such id.
    """

    message_id: str = ""
    correlation_id: str = ""
    causation_id: str | None = None

    def __post_init__(self) -> None:
        if self.message_id == "":
            force_setattr(self, "message_id", str(uuid.uuid4()))
        else:
            _check("message_id", self.message_id)
        if self.correlation_id == "":
            force_setattr(self, "correlation_id", self.message_id)
        else:
            _check("correlation_id", self.correlation_id)
        if self.causation_id is not None:
            _check("causation_id", self.causation_id)


def _check(name: str, value: object) -> None:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        shown = printable(ascii(value), 100)
        raise ValueError(f"the {name} of a MessageIdsStamp is 1 to 200 letters, digits and _.:@/+=-, not {shown}")


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
    if not all(_ID.fullmatch(value) for value in given):
        return None, ""
    for name in (MESSAGE_HEADER, CORRELATION_HEADER, CAUSATION_HEADER):
        headers.pop(name, None)
    return MessageIdsStamp(message_id, correlation_id, causation_id), ""
