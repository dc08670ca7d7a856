"""Time as the in-memory transports see it: it stands still until a test moves it."""

from __future__ import annotations

import math

_ROUNDING_SECONDS = 1e-6


class Clock:
    """Starts at 0 and stands still. Called, it gives seconds.

    It decides when a delayed message and a retry are due; `time.time()` and `datetime.now()` go on as ever.
    """

    def __init__(self) -> None:
        self._now = 0.0

    def __call__(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        """Go forward. What is due exactly at the end is due. Raises ValueError for less than 0 and for no number."""
        if not 0 <= seconds < math.inf:
            raise ValueError(f"a clock advances by 0 seconds or more, not by {seconds!r}")
        self._now += seconds + _ROUNDING_SECONDS  # or three steps of 0.1 would not reach 0.3
