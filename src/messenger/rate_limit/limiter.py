"""What a rate limiter is, and the rate of the built-in ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

LONGEST_TURN_SECONDS = 60.0


@runtime_checkable
class RateLimiter(Protocol):
    """Gives out tokens; a message is handled only with one. A limiter of a third party implements this interface.

    `key` is the text of the message's field, or "" for a limiter without a key; each key has its own tokens. Both
    methods raise TransportUnavailable when the store of the tokens cannot be reached.
    """

    def acquire(self, key: str) -> float:
        """Take a token. 0.0: it is taken. Else none is: seconds after which it is worth asking again."""
        ...

    def give_back(self, key: str) -> None:
        """Give back the last token that this object took for this key: there was no message for it."""
        ...


@runtime_checkable
class TurnLimiter(RateLimiter, Protocol):
    """A limiter with turns: each message that `acquire` refuses gets a time of its own."""

    def acquire_in_turn(self, key: str) -> float:
        """As `acquire`, for one whose turn has come: when it is too early by a little, it is not sent to the end."""
        ...


@dataclass(frozen=True, slots=True)
class Rate:
    """`limit` tokens in each `interval`, evenly spread; after a time without any, up to `burst` of them at once.

    In any interval at most `limit + burst - 1` tokens are given out: with a burst of 1 never more than `limit`.

    Attributes:
        limit: Number of tokens.
        interval: Seconds.
        burst: Number of tokens at once.
    """

    limit: int
    interval: float
    burst: int = 1

    @property
    def spacing(self) -> float:
        """Seconds in which one token comes."""
        return self.interval / self.limit
