"""The DeduplicateStamp as a plain header."""

from __future__ import annotations

import msgspec

from messenger.deduplication.stamps import DeduplicateStamp

HEADER = "X-Messenger-Deduplicate"
_decoder = msgspec.json.Decoder(DeduplicateStamp)


def encode(stamp: DeduplicateStamp) -> dict[str, str]:
    """Return the header of a DeduplicateStamp, a JSON object."""
    return {HEADER: msgspec.json.encode(stamp).decode()}


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
