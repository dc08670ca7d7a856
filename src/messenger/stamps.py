"""Stamps: metadata of a message.

A `Stamp` travels with the message; its fields are the keys of Symfony's JSON (camel case on the wire). A `LocalStamp`
belongs to this process: it is neither written to a transport nor accepted from one.

The stamps of a feature are defined beside it, such as `DeduplicateStamp` in messenger.deduplication.stamps.
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
    """Check that a value is a whole number within a range; msgspec turns the error into its own for a received stamp.

    Raises:
        ValueError: It is not.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"the {name} is a whole number from {least} to {most}, not {value!r:.100}")


class Stamp(msgspec.Struct, frozen=True, rename="camel"):
    """Base of all stamps."""


class LocalStamp(Stamp, frozen=True):
    """Base of the stamps that never leave this process."""


# --- stamps that travel -----------------------------------------------------------------------------------------


class BusNameStamp(Stamp, frozen=True):
    """Names the bus that dispatched the message; a worker handles the message on the bus of that name.

    Attributes:
        bus_name: Name of the bus.
    """

    bus_name: str


class DelayStamp(Stamp, frozen=True):
    """Delays the handling of the message.

    Attributes:
        delay: Milliseconds, up to LONGEST_DELAY. A negative number means no delay.

    Raises:
        ValueError: The delay is not a whole number, or is out of range.
    """

    delay: int

    def __post_init__(self) -> None:
        _check_whole("delay of a DelayStamp", self.delay, -LONGEST_DELAY, LONGEST_DELAY)


class RedeliveryStamp(Stamp, frozen=True):
    """Counts the retries of the message; the newest of these stamps is valid.

    Attributes:
        retry_count: Number of retries, 0 to MOST_RETRIES.
        redelivered_at: When the message was scheduled for this retry.

    Raises:
        ValueError: The retry count is not a whole number, or is out of range.
    """

    retry_count: int
    redelivered_at: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    def __post_init__(self) -> None:
        _check_whole("retry_count of a RedeliveryStamp", self.retry_count, 0, MOST_RETRIES)


class ErrorDetailsStamp(Stamp, frozen=True):
    """Describes the error that a handler raised.

    Attributes:
        exception_class: Dotted name of the exception's class.
        exception_code: The `code` of the exception; 0 without one.
        exception_message: Text of the exception.
        flatten_exception: Symfony's serialized exception. Passed on unchanged, never created here.
    """

    exception_class: str
    exception_code: int | str = 0
    exception_message: str = ""
    flatten_exception: Any = None


class SentToFailureTransportStamp(Stamp, frozen=True):
    """Marks a message that was moved to a failure transport.

    Attributes:
        original_receiver_name: Transport that the message was received from.
    """

    original_receiver_name: str


class TransportNamesStamp(Stamp, frozen=True):
    """Sends the message to these transports instead of those of the routing.

    Attributes:
        transport_names: Names of the transports.
    """

    transport_names: tuple[str, ...]


class HandledStamp(Stamp, frozen=True):
    """Records that a handler succeeded; a retry skips that handler.

    Attributes:
        handler_name: Name of the handler.
        result: What the handler returned. It stays in this process.
    """

    handler_name: str
    result: Any = None


# --- stamps of this process ---------------------------------------------------------------------------------------


class ReceivedStamp(LocalStamp, frozen=True):
    """Marks a message that was received from a transport, so that it is handled and not sent again.

    Attributes:
        transport_name: Name of the transport.
    """

    transport_name: str


class SentStamp(LocalStamp, frozen=True):
    """Records that the message was sent to a transport.

    Attributes:
        transport_name: Name of the transport.
    """

    transport_name: str


class TransportMessageIdStamp(LocalStamp, frozen=True):
    """Carries the id that the transport gave the message; the newest one is valid. Acknowledging needs it.

    Attributes:
        id: The id.
    """

    id: str


class DeliveryStamp(LocalStamp, frozen=True):
    """Counts how often the transport has delivered this message, including this time.

    Attributes:
        count: 1 at the first delivery; more after a crash or a lost lease.
    """

    count: int


class SerializedMessageStamp(LocalStamp, frozen=True):
    """Carries the body as it was received, so that a retry sends it unchanged.

    Attributes:
        body: The body.
    """

    body: str


class ForeignHeadersStamp(LocalStamp, frozen=True):
    """Carries the received headers that this package does not know, so that they are sent again unchanged.

    Attributes:
        headers: Values by header name.
    """

    headers: Mapping[str, str]


MESSAGE_ID = re.compile(r"[A-Za-z0-9_.:@/+=-]{1,200}")  # nothing that could forge a log line


class MessageIdsStamp(Stamp, frozen=True):
    """Identifies a message, its chain and its cause (headers X-Messenger-{Message,Correlation,Causation}-Id).

    Each id is 1 to 200 letters, digits and ``_.:@/+=-``.

    Attributes:
        message_id: Stays the same on every transport, through retries and the failure transport. Default: a new id.
        correlation_id: The message_id of the first message of the chain, or an id from outside, such as that of a
            request. Default: the message_id.
        causation_id: The message_id of the message whose handling dispatched this one; None at the start of a chain.

    Raises:
        ValueError: An id has other characters, or another length.
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
