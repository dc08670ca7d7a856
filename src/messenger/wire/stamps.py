"""Stamps as headers: one ``X-Message-Stamp-<PHP class>`` per class, its value a JSON list.

The table is closed: a header names no class that is not listed here. What is unknown stays an opaque header.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from messenger import stamps
from messenger.stamps import Stamp

PREFIX = "X-Message-Stamp-"
KEPT_PREFIX = "X-Messenger-Kept-"  # before the name of a broken stamp's header, where a good stamp has that name now
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
# Symfony's stamps that are about one process or one transport: never taken over from the wire.
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
    """The headers of the stamps that travel; others are left out. Results of handlers stay here."""
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
        if header in _DECODERS:
            decoded, wrong = _decode(header, value)
            found.extend(decoded)
            if wrong:
                rest[header] = value
                problem = wrong
        elif header not in _DROPPED:
            rest[header] = value
    for kept in [header for header in rest if header.startswith(KEPT_PREFIX)]:
        name = kept.removeprefix(KEPT_PREFIX)
        wrong = _decode(name, rest[kept])[1] if name in _DECODERS and name not in rest else ""
        if wrong:
            rest[name] = rest.pop(kept)
            problem = wrong
    return found, rest, problem


def _decode(header: str, value: str) -> tuple[list[Stamp], str]:
    try:
        return _DECODERS[header].decode(value), ""
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        return [], f"the header {header} is not a list of its stamps: {error}"


def add_stamps(headers: dict[str, str], found: Iterable[Stamp]) -> None:
    """Add the headers of stamps. Where the header of a broken stamp has the name, it goes on under another."""
    for name, value in encode_stamps(found).items():
        kept = name
        while kept in headers:
            kept = KEPT_PREFIX + kept
        if kept != name:
            headers[kept] = headers[name]
        headers[name] = value
