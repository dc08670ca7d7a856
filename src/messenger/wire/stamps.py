"""Stamps as headers, and back.

Symfony's stamps have one header ``X-Message-Stamp-<PHP class>`` per class, its value a JSON list. This package's own
stamps are extension headers, plain texts: PHP drops a message with a stamp header that it does not know.

The tables are closed: a header names no class that is not listed here. What is unknown stays an opaque header.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from messenger import stamps
from messenger.deduplication.stamps import DeduplicateStamp
from messenger.stamps import MESSAGE_ID, MessageIdsStamp, Stamp
from messenger.wire import extension_headers as extension

MESSAGE_ID_HEADER = "X-Messenger-Message-Id"
CORRELATION_ID_HEADER = "X-Messenger-Correlation-Id"
CAUSATION_ID_HEADER = "X-Messenger-Causation-Id"
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


# --- Symfony's stamps ---------------------------------------------------------------------------------------------


def encode_stamps(found: Iterable[Stamp]) -> dict[str, str]:
    """Return the headers of Symfony's stamps; other stamps are left out. Results of handlers stay here."""
    lists: dict[str, list[Stamp]] = {}
    for stamp in found:
        header = _HEADERS.get(type(stamp))
        if header is not None:
            travelling = stamps.HandledStamp(stamp.handler_name) if isinstance(stamp, stamps.HandledStamp) else stamp
            lists.setdefault(header, []).append(travelling)
    headers: dict[str, str] = {}
    for header, values in lists.items():
        headers[header] = msgspec.json.encode(values).decode()
    return headers


def add_stamps(headers: dict[str, str], found: Iterable[Stamp]) -> None:
    """Add the headers of Symfony's stamps. A broken stamp's header that has the same name goes on under another."""
    for name, value in encode_stamps(found).items():
        kept = name
        while kept in headers:
            kept = KEPT_PREFIX + kept
        if kept != name:
            headers[kept] = headers[name]
        headers[name] = value


def decode_stamps(headers: Mapping[str, str]) -> tuple[list[Stamp], dict[str, str], str]:
    """Read Symfony's stamps.

    The header of a broken stamp is left, so that it does not hide the others: a failed message must still say where
    it came from.

    Returns:
        The stamps, the headers that are left, and what is wrong with a stamp; "" when nothing is.
    """
    found: list[Stamp] = []
    rest: dict[str, str] = {}
    kept: list[str] = []
    problem = ""
    for header, value in headers.items():
        decoder = _DECODERS.get(header)
        if decoder is not None:
            try:
                found += decoder.decode(value)
            except _BROKEN as error:
                rest[header] = value
                problem = _explain(header, error)
        elif header not in _DROPPED:
            rest[header] = value
            if header.startswith(KEPT_PREFIX):
                kept.append(header)
    for header in kept:
        problem = _restore(rest, header) or problem
    return found, rest, problem


_BROKEN = (msgspec.MsgspecError, ValueError, RecursionError)


def _explain(header: str, error: Exception) -> str:
    return f"the header {header} is not a list of its stamps: {error}"


def _restore(headers: dict[str, str], kept: str) -> str:
    """Give a kept header its own name back when it is still broken and the name is free. Return what is wrong."""
    name = kept.removeprefix(KEPT_PREFIX)
    if name not in _DECODERS or name in headers:
        return ""
    try:
        _DECODERS[name].decode(headers[kept])
    except _BROKEN as error:
        headers[name] = headers.pop(kept)
        return _explain(name, error)
    return ""


# --- extension headers --------------------------------------------------------------------------------------------


def add_extension_headers(headers: dict[str, str], newest: Mapping[type[Stamp], Any]) -> None:
    """Add the headers of this package's own stamps.

    Args:
        headers: The headers to add to.
        newest: The last stamp of each class.
    """
    for cls, encode in _ENCODE.items():
        if cls in newest:
            headers.update(encode(newest[cls]))


def take_extension_headers(headers: dict[str, str]) -> tuple[list[Stamp], str]:
    """Read this package's own stamps and take their headers out of `headers`. The header of a wrong one stays.

    Returns:
        The stamps, and what is wrong with one; "" when nothing is.
    """
    found: list[Stamp] = []
    problem = ""
    for header, take in _TAKE.items():
        if header in headers:
            stamp, wrong = take(headers)
            problem = problem or wrong
            if stamp is not None:
                found.append(stamp)
    return found, problem


def _encode_ids(stamp: MessageIdsStamp) -> dict[str, str]:
    headers = {MESSAGE_ID_HEADER: stamp.message_id, CORRELATION_ID_HEADER: stamp.correlation_id}
    if stamp.causation_id is not None:
        headers[CAUSATION_ID_HEADER] = stamp.causation_id
    return headers


def _take_ids(headers: dict[str, str]) -> tuple[MessageIdsStamp | None, str]:
    """Take the ids, unless one of them is no id."""
    message_id = headers[MESSAGE_ID_HEADER]
    correlation_id = headers.get(CORRELATION_ID_HEADER, message_id)
    causation_id = headers.get(CAUSATION_ID_HEADER)
    given = (message_id, correlation_id, message_id if causation_id is None else causation_id)
    if not all(map(MESSAGE_ID.fullmatch, given)):
        return None, ""
    for name in (MESSAGE_ID_HEADER, CORRELATION_ID_HEADER, CAUSATION_ID_HEADER):
        headers.pop(name, None)
    return MessageIdsStamp(message_id, correlation_id, causation_id), ""


_ENCODE: Mapping[type[Stamp], Callable[[Any], dict[str, str]]] = {
    extension.ReplyStamp: extension.encode_reply,
    MessageIdsStamp: _encode_ids,
    DeduplicateStamp: extension.encode_deduplicate,
    extension.TurnStamp: extension.encode_turn,
}
_TAKE: Mapping[str, Callable[[dict[str, str]], tuple[Stamp | None, str]]] = {
    extension.REPLY_HEADER: extension.take_reply,
    MESSAGE_ID_HEADER: _take_ids,
    extension.DEDUPLICATE_HEADER: extension.take_deduplicate,
    extension.TURN_HEADER: extension.take_turn,
}
