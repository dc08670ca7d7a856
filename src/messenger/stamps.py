"""Stamps: what is known about a message besides the message itself.

A `Stamp` travels with the message; its fields are the keys of Symfony's JSON (camel case on the wire).
A `LocalStamp` is about this process only and is never written to a transport nor accepted from one.

Those of a feature stand beside it, such as `DeduplicateStamp` in messenger.deduplication.stamps.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec.structs import force_setattr

from messenger.printable import printable

LONGEST_DELAY = 2**53  # milliseconds
MOST_RETRIES = 2**31 - 1


def _check_whole(name: str, value: object, least: int, most: int) -> None:
    """Raise ValueError unless it is a whole number of this range; of a received stamp msgspec makes its own error."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"the {name} is a whole number from {least} to {most}, not {value!r:.100}")


class Stamp(msgspec.Struct, frozen=True, rename="camel"):
    """Base of all stamps."""


class LocalStamp(Stamp, frozen=True):
    """Base of the stamps that never leave this process."""


# --- stamps that travel -----------------------------------------------------------------------------------------


class BusNameStamp(Stamp, frozen=True):
    """The bus that dispatched the message; a worker handles it on the bus of that name."""

    bus_name: str


class DelayStamp(Stamp, frozen=True):
    """Handle the message not before this delay has passed.

    delay: milliseconds, up to LONGEST_DELAY; none when it is negative. Raises ValueError for another one.
    """

    delay: int

    def __post_init__(self) -> None:
        _check_whole("delay of a DelayStamp", self.delay, -LONGEST_DELAY, LONGEST_DELAY)


class RedeliveryStamp(Stamp, frozen=True):
    """How often the message has been retried, 0 to MOST_RETRIES; the last one counts. Raises ValueError for others."""

    retry_count: int
    redelivered_at: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    def __post_init__(self) -> None:
        _check_whole("retry_count of a RedeliveryStamp", self.retry_count, 0, MOST_RETRIES)


class ErrorDetailsStamp(Stamp, frozen=True):
    """What was raised. `flatten_exception` is PHP's; it is kept as it came and never made here."""

    exception_class: str
    exception_code: int | str = 0
    exception_message: str = ""
    flatten_exception: Any = None


class SentToFailureTransportStamp(Stamp, frozen=True):
    """The message rests in a failure transport; it was received from this transport."""

    original_receiver_name: str


class TransportNamesStamp(Stamp, frozen=True):
    """Send to these transports instead of those the routing names."""

    transport_names: tuple[str, ...]


class HandledStamp(Stamp, frozen=True):
    """This handler succeeded; a retry skips it. The result stays in this process."""

    handler_name: str
    result: Any = None


# --- stamps of this process ---------------------------------------------------------------------------------------


class ReceivedStamp(LocalStamp, frozen=True):
    """The message came from this transport, so it is handled and not sent again."""

    transport_name: str


class SentStamp(LocalStamp, frozen=True):
    """The message was sent to this transport."""

    transport_name: str


class TransportMessageIdStamp(LocalStamp, frozen=True):
    """The id its transport gave the message; the last one counts. Acknowledging needs it."""

    id: str


class DeliveryStamp(LocalStamp, frozen=True):
    """How often the transport has handed this message out, this time included. Over 1 after a crash or lost lease."""

    count: int


class SerializedMessageStamp(LocalStamp, frozen=True):
    """The body as it was received, sent again verbatim on a retry."""

    body: str


class ForeignHeadersStamp(LocalStamp, frozen=True):
    """Headers this package does not know, kept as they came and sent again unchanged."""

    headers: Mapping[str, str]


MESSAGE_ID = re.compile(r"[A-Za-z0-9_.:@/+=-]{1,200}")  # nothing that could forge a log line


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
        if self.correlation_id == "":
            force_setattr(self, "correlation_id", self.message_id)
        for name in ("message_id", "correlation_id") if self.causation_id is None else self.__struct_fields__:
            value = getattr(self, name)
            if not isinstance(value, str) or not MESSAGE_ID.fullmatch(value):
                shown = printable(ascii(value), 100)
                allowed = "1 to 200 letters, digits and _.:@/+=-"
                raise ValueError(f"the {name} of a MessageIdsStamp is {allowed}, not {shown}")
