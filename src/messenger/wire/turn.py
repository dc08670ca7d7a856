"""That a message waits for its turn at a rate limit, as a plain header."""

from __future__ import annotations

from messenger.stamps import LocalStamp

HEADER = "X-Messenger-Turn"


class TurnStamp(LocalStamp, frozen=True):
    """The message went back once because there was no token for its key, with the turn of its own as its delay."""


def encode(stamp: TurnStamp) -> dict[str, str]:
    """Return the header of a TurnStamp."""
    return {HEADER: "1"}


def take(headers: dict[str, str]) -> tuple[TurnStamp | None, str]:
    """The stamp, taken out of `headers`."""
    return (TurnStamp() if headers.pop(HEADER, "") else None), ""
