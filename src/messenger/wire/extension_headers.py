"""Stamps of single features as plain headers: who waits for a reply, the key of a lock, a turn at a rate limit.

Each `take_…` function takes the stamp out of the headers, and returns it and what is wrong with it, "" when nothing is.
"""

from __future__ import annotations

import re

import msgspec

from messenger.deduplication.stamps import DeduplicateStamp
from messenger.stamps import LocalStamp

REPLY_HEADER = "X-Messenger-Reply"
DEDUPLICATE_HEADER = "X-Messenger-Deduplicate"
TURN_HEADER = "X-Messenger-Turn"
_TOKEN = re.compile(r"[0-9a-f]{32}")
_deduplicate_decoder = msgspec.json.Decoder(DeduplicateStamp)


class ReplyStamp(LocalStamp, frozen=True):
    """Requests a reply about the end of this message (`messenger dispatch --wait`).

    Attributes:
        token: 32 hexadecimal digits; travels in the header X-Messenger-Reply.
    """

    token: str


class TurnStamp(LocalStamp, frozen=True):
    """The message went back once because there was no token for its key, with the turn of its own as its delay."""


def encode_reply(stamp: ReplyStamp) -> dict[str, str]:
    """Return the header of a ReplyStamp."""
    return {REPLY_HEADER: stamp.token}


def take_reply(headers: dict[str, str]) -> tuple[ReplyStamp | None, str]:
    """Take a ReplyStamp from the headers. An invalid token is dropped: no command can wait for it."""
    token = headers.pop(REPLY_HEADER, "")
    return (ReplyStamp(token) if _TOKEN.fullmatch(token) else None), ""


def encode_deduplicate(stamp: DeduplicateStamp) -> dict[str, str]:
    """Return the header of a DeduplicateStamp, a JSON object."""
    return {DEDUPLICATE_HEADER: msgspec.json.encode(stamp).decode()}


def take_deduplicate(headers: dict[str, str]) -> tuple[DeduplicateStamp | None, str]:
    """Take a DeduplicateStamp. The header of a wrong one stays."""
    value = headers.get(DEDUPLICATE_HEADER)
    if value is None:
        return None, ""
    try:
        stamp = _deduplicate_decoder.decode(value)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        return None, f"the header {DEDUPLICATE_HEADER} is not a DeduplicateStamp: {error}"
    del headers[DEDUPLICATE_HEADER]
    return stamp, ""


def encode_turn(stamp: TurnStamp) -> dict[str, str]:
    """Return the header of a TurnStamp."""
    return {TURN_HEADER: "1"}


def take_turn(headers: dict[str, str]) -> tuple[TurnStamp | None, str]:
    """Take a TurnStamp."""
    return (TurnStamp() if headers.pop(TURN_HEADER, "") else None), ""
