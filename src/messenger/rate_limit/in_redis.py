"""A rate limiter for a fleet: tokens are counted in one Redis, by its clock, in one atomic step."""

from __future__ import annotations

import math

from messenger.rate_limit.limiter import LONGEST_TURN_SECONDS, Rate
from messenger.redis.open import connect
from messenger.redis.options import RedisOptions
from messenger.redis.scripts import Script

_MICROSECONDS = 1_000_000


class RedisRateLimiter:
    """A RateLimiter in Redis. Connects at first use.

    Its keys are `<prefix>` or `<prefix>:<key>`; each expires when all of its tokens are back.
    """

    def __init__(self, options: RedisOptions, prefix: str, rate: Rate, *, in_turn: bool = False) -> None:
        """Create a limiter.

        Args:
            options: Where Redis is.
            prefix: Prefix of its keys.
            rate: The rate.
            in_turn: Give each refused message a time of its own, so that they do not all come back at once (for a
                limiter with a key).
        """
        self._connection = connect(options)
        self._prefix = prefix
        self._spacing = math.ceil(rate.spacing * _MICROSECONDS)
        self._burst = rate.burst
        self._in_turn = int(in_turn)
        self._acquire = Script("acquire", __package__, prelude="state")
        self._give_back = Script("give_back", __package__, prelude="state")
        self._taken_at = 0

    def acquire(self, key: str) -> float:
        """See RateLimiter."""
        return self._ask(key, self._in_turn)

    def acquire_in_turn(self, key: str) -> float:
        """See TurnLimiter."""
        return self._ask(key, 0)

    def _ask(self, key: str, give_turn: int) -> float:
        longest = int(LONGEST_TURN_SECONDS * _MICROSECONDS)
        arguments = (self._spacing, self._burst, give_turn, longest)
        wait, now = self._acquire.run(self._connection, (self._key(key),), arguments)
        if wait:
            return float(wait) / _MICROSECONDS
        self._taken_at = now
        return 0.0

    def give_back(self, key: str) -> None:
        """See RateLimiter."""
        self._give_back.run(self._connection, (self._key(key),), (self._spacing, self._taken_at))

    def close(self) -> None:
        """Drop the connection."""
        self._connection.close()

    def _key(self, key: str) -> str:
        return f"{self._prefix}:{key}" if key else self._prefix
