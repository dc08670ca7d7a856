"""Where the answer to `messenger dispatch --wait` goes, as a plain header."""

from __future__ import annotations

import re

from messenger.envelope import AnyEnvelope
from messenger.stamps import ReplyStamp

HEADER = "X-Messenger-Reply"
_TOKEN = re.compile(r"[0-9a-f]{32}")


def encode(envelope: AnyEnvelope) -> dict[str, str]:
    """The header of its ReplyStamp."""
    stamp = envelope.last(ReplyStamp)
    return {HEADER: stamp.token} if stamp is not None else {}


def take(headers: dict[str, str]) -> tuple[ReplyStamp | None, str]:
    """The stamp, taken out of `headers`. What is no token is dropped: nobody can wait for it."""
    token = headers.pop(HEADER, "")
    return (ReplyStamp(token) if _TOKEN.fullmatch(token) else None), ""
