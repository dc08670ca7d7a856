"""A rate limiter for one process, where there is no Redis to count in for all."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from messenger.rate_limit.limiter import LONGEST_TURN_SECONDS, Rate

_FORGET_ABOVE = 1000


@dataclass(slots=True)
class _Bucket:
    """The state of one key.

    Attributes:
        full_at: Seconds on the clock when every token is back.
        last_turn: Seconds on the clock of the latest turn that was given to a refused message.
    """

    full_at: float
    last_turn: float = 0.0


class InProcessRateLimiter:
    """A RateLimiter in memory, with the rules of acquire.lua."""

    def __init__(self, rate: Rate, *, in_turn: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        """Create a limiter.

        Args:
            rate: The rate.
            in_turn: Give each refused message a time of its own (for a limiter with a key).
            clock: Returns the time in seconds.
        """
        self._spacing = rate.spacing
        self._burst = rate.spacing * rate.burst
        self._in_turn = in_turn
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def acquire(self, key: str) -> float:
        """See RateLimiter."""
        return self._ask(key, self._in_turn)

    def acquire_in_turn(self, key: str) -> float:
        """See TurnLimiter."""
        return self._ask(key, give_turn=False)

    def _ask(self, key: str, give_turn: bool) -> float:
        now = self._clock()
        bucket = self._buckets.get(key) or _Bucket(now)
        full_at = max(bucket.full_at, now) + self._spacing
        if full_at - self._burst > now:
            return self._refuse(bucket, now, full_at, give_turn)
        self._forget_the_full(now)
        bucket.full_at = full_at
        self._buckets[key] = bucket
        return 0.0

    def give_back(self, key: str) -> None:
        """See RateLimiter."""
        bucket = self._buckets.get(key)
        if bucket is not None:
            bucket.full_at -= self._spacing

    def _refuse(self, bucket: _Bucket, now: float, full_at: float, give_turn: bool) -> float:
        wait = full_at - self._burst - now
        if not give_turn:
            return wait
        turn = max(bucket.last_turn + self._spacing, full_at)
        bucket.last_turn = min(turn, now + self._burst + LONGEST_TURN_SECONDS)
        return max(wait, bucket.last_turn - self._burst - now)

    def _forget_the_full(self, now: float) -> None:
        if len(self._buckets) > _FORGET_ABOVE:
            self._buckets = {key: bucket for key, bucket in self._buckets.items() if bucket.full_at > now}
