"""Stamps: what is known about a message besides the message itself.

A `Stamp` travels with the message; its fields are the keys of Symfony's JSON (spec section 2, camel case on the wire).
A `LocalStamp` is about this process only and is never written to a transport nor accepted from one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from messenger.batch import Unsettled


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

    delay: milliseconds.
    """

    delay: int


class RedeliveryStamp(Stamp, frozen=True):
    """How often the message has been retried; the last one counts."""

    retry_count: int
    redelivered_at: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))


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
    """This handler succeeded; a retry skips it. The result stays in this process (R39)."""

    handler_name: str
    result: Any = None


class MessageIdsStamp(Stamp, frozen=True):
    """Which message this is, and why it exists; travels in the headers X-Messenger-{Message,Correlation,Causation}-Id.

    message_id: stays the same on every transport, through retries and the failure transport.
    correlation_id: the message_id of the first message of the chain that led here.
    causation_id: the message_id of the message whose handling dispatched this one; None at the start of a chain.
    """

    message_id: str
    correlation_id: str
    causation_id: str | None = None


class DeduplicateStamp(Stamp, frozen=True):
    """While this message is on its way, another one with the same key is not sent (docs/deduplication.md).

    key: 1 to 500 characters; the same for every message class and bus of an application.
    ttl: seconds, 3 to a year, after which the key is free again if nobody has renewed it. A worker does while it has
    the message; in the queue nobody does, so it should be longer than messages wait there. A delay is added to it.
    only_in_queue: the key is free once the message begins to be handled, not when it has been.

    Raises ValueError for another key or ttl.
    """

    key: str
    ttl: float = 300.0
    only_in_queue: bool = False

    def __post_init__(self) -> None:
        if not (isinstance(self.key, str) and 0 < len(self.key) <= 500 and _is_utf8(self.key)):
            raise ValueError(f"the key of a DeduplicateStamp is a text of 1 to 500 characters, not {self.key!r:.100}")
        if not (isinstance(self.ttl, int | float) and 3 <= self.ttl <= 31_622_400):
            raise ValueError(f"the ttl of a DeduplicateStamp is 3 to 31622400 seconds, not {self.ttl!r:.100}")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# --- stamps of this process ---------------------------------------------------------------------------------------


class ReceivedStamp(LocalStamp, frozen=True):
    """The message came from this transport, so it is handled and not sent again."""

    transport_name: str


class DispatchAfterCurrentBusStamp(LocalStamp, frozen=True):
    """Dispatched by a handler: send or handle this only after the message being handled succeeded, else drop it.

    Outside a handler it has no effect.
    """


class AckStamp(LocalStamp, frozen=True):
    """The worker can settle this message later, so a batch handler may keep it for a while.

    settle: to be called once, with None or with what went wrong.
    """

    settle: Callable[[Exception | None], None]


class NoAutoAckStamp(LocalStamp, frozen=True):
    """A batch handler has the message; it is settled by its AckStamp.

    unsettled: how it stands with the message until then.
    """

    unsettled: Unsettled


class SqlConnectionStamp(LocalStamp, frozen=True):
    """Store the message within the transaction of this connection: it is sent when that is committed, or never.

    connection: SQLAlchemy's, to the database of the SQL transport that the message goes to, or of its outbox.
    """

    connection: Connection


class StoredInTransactionStamp(LocalStamp, frozen=True):
    """The message is stored within the transaction of this connection, and gone if that is rolled back."""

    connection: Connection


class SentStamp(LocalStamp, frozen=True):
    """The message was sent to this transport."""

    transport_name: str


class DuplicateOfStamp(LocalStamp, frozen=True):
    """The message was not sent: the one with this message id has the same key (see DeduplicateStamp)."""

    message_id: str


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
    """Headers this package does not know, kept as they came and sent again unchanged (R81)."""

    headers: Mapping[str, str]


class ReplyStamp(LocalStamp, frozen=True):
    """Somebody waits to hear how this message ended (`messenger dispatch --wait`).

    token: 32 hexadecimal digits; travels in the header X-Messenger-Reply.
    """

    token: str
