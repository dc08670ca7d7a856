"""Stamps as headers: one ``X-Message-Stamp-<PHP class>`` per class, its value a JSON list (spec 9.2).

The table is closed: a header names no class that is not listed here. What is unknown stays an opaque header.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from messenger import stamps
from messenger.stamps import Stamp

PREFIX = "X-Message-Stamp-"
_NAMESPACE = "Symfony\\Component\\Messenger\\Stamp\\"
_HEADERS: dict[type[Stamp], str] = {
    cls: f"{PREFIX}{_NAMESPACE}{cls.__name__}"
    for cls in (
        stamps.BusNameStamp,
        stamps.DelayStamp,
        stamps.RedeliveryStamp,
        stamps.ErrorDetailsStamp,
        stamps.SentToFailureTransportStamp,
        stamps.TransportNamesStamp,
        stamps.HandledStamp,
    )
}
# Symfony's stamps that are about one process or one transport: never taken over from the wire (R83).
_DROPPED = frozenset(
    f"{PREFIX}{_NAMESPACE}{name}"
    for name in (
        "AckStamp",
        "ConsumedByWorkerStamp",
        "DispatchAfterCurrentBusStamp",
        "FlushBatchHandlersStamp",
        "HandlerArgumentsStamp",
        "NoAutoAckStamp",
        "ReceivedStamp",
        "SentForRetryStamp",
        "SentStamp",
        "SerializedMessageStamp",
        "TransportMessageIdStamp",
    )
)
_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    header: msgspec.json.Decoder(list[cls])  # type: ignore[valid-type]
    for cls, header in _HEADERS.items()
}


def encode_stamps(found: Iterable[Stamp]) -> dict[str, str]:
    """The headers of the stamps that travel; others are left out. Results of handlers stay here (R39)."""
    lists: dict[str, list[Stamp]] = {}
    for stamp in found:
        header = _HEADERS.get(type(stamp))
        if header is not None:
            travelling = stamps.HandledStamp(stamp.handler_name) if isinstance(stamp, stamps.HandledStamp) else stamp
            lists.setdefault(header, []).append(travelling)
    return {header: msgspec.json.encode(values).decode() for header, values in lists.items()}


def decode_stamps(headers: Mapping[str, str]) -> tuple[list[Stamp], dict[str, str], str]:
    """The stamps of these headers, the headers that are left, and what is wrong with a stamp, "" when nothing is.

    The header of a broken stamp is left, so that it does not hide the others: a failed message must still say where
    it came from.
    """
    found: list[Stamp] = []
    rest: dict[str, str] = {}
    problem = ""
    for header, value in headers.items():
        decoder = _DECODERS.get(header)
        if decoder is not None:
            try:
                found.extend(decoder.decode(value))
            except (msgspec.MsgspecError, ValueError, RecursionError) as error:
                rest[header] = value
                problem = f"the header {header} is not a list of its stamps: {error}"
        elif header not in _DROPPED:
            rest[header] = value
    return found, rest, problem
