"""The DeduplicateStamp as a plain header: PHP drops a message with a stamp header it does not know."""

from __future__ import annotations

import msgspec

from messenger.stamps import DeduplicateStamp

HEADER = "X-Messenger-Deduplicate"
_decoder = msgspec.json.Decoder(DeduplicateStamp)


def encode_deduplicate(stamp: DeduplicateStamp) -> str:
    """The header's value, a JSON object."""
    return msgspec.json.encode(stamp).decode()


def take_deduplicate(headers: dict[str, str]) -> tuple[DeduplicateStamp | None, str]:
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
