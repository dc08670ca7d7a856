"""A clock for in-memory transports that stands still until a test moves it."""

from __future__ import annotations

import math

_ROUNDING_SECONDS = 1e-6


class Clock:
    """A clock that starts at 0 seconds and stands still. Calling it returns the time in seconds.

    It determines when delayed messages and retries are due; `time.time()` and `datetime.now()` are not affected.
    """

    def __init__(self) -> None:
        self._now = 0.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock forward. What is due exactly at the new time is due.

        Args:
            seconds: 0 or more.

        Raises:
            ValueError: The number is negative or not finite.
        """
        if not 0 <= seconds < math.inf:
            raise ValueError(f"a clock advances by 0 seconds or more, not by {seconds!r}")
        self._now += seconds + _ROUNDING_SECONDS  # or three steps of 0.1 would not reach 0.3
