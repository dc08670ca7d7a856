"""Where the answer to `messenger dispatch --wait` goes, as a plain header."""

from __future__ import annotations

import re

from messenger.stamps import LocalStamp

HEADER = "X-Messenger-Reply"
_TOKEN = re.compile(r"[0-9a-f]{32}")


class ReplyStamp(LocalStamp, frozen=True):
    """Somebody waits to hear how this message ended (`messenger dispatch --wait`).

    token: 32 hexadecimal digits; travels in the header X-Messenger-Reply.
    """

    token: str


def encode(stamp: ReplyStamp) -> dict[str, str]:
    """Return the header of a ReplyStamp."""
    return {HEADER: stamp.token}


def take(headers: dict[str, str]) -> tuple[ReplyStamp | None, str]:
    """The stamp, taken out of `headers`. What is no token is dropped: nobody can wait for it."""
    token = headers.pop(HEADER, "")
    return (ReplyStamp(token) if _TOKEN.fullmatch(token) else None), ""
