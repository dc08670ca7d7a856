"""The DeduplicateStamp as a plain header."""

from __future__ import annotations

import msgspec

from messenger.deduplication.stamps import DeduplicateStamp
from messenger.envelope import AnyEnvelope

HEADER = "X-Messenger-Deduplicate"
_decoder = msgspec.json.Decoder(DeduplicateStamp)


def encode(envelope: AnyEnvelope) -> dict[str, str]:
    """The header of its DeduplicateStamp, a JSON object."""
    stamp = envelope.last(DeduplicateStamp)
    return {HEADER: msgspec.json.encode(stamp).decode()} if stamp is not None else {}


def take(headers: dict[str, str]) -> tuple[DeduplicateStamp | None, str]:
    """The stamp, taken out of `headers`, and what is wrong with it, "" when nothing is. A wrong one is not taken."""
    value = headers.get(HEADER)
    if value is None:
        return None, ""
    try:
        stamp = _decoder.decode(value)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        return None, f"the header {HEADER} is not a DeduplicateStamp: {error}"
    del headers[HEADER]
    return stamp, ""
