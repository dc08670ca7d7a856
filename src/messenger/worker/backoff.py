"""How long to wait for a server that is away."""

from __future__ import annotations

import random


class Backoff:
    """0.5 s, doubling to 10 s, each with up to a fifth of jitter so that a fleet does not come back as one."""

    def __init__(self) -> None:
        self._seconds = 0.5

    def next(self) -> float:
        """Seconds to wait this time."""
        seconds = self._seconds
        self._seconds = min(10.0, seconds * 2)
        return seconds * random.uniform(0.8, 1.2)

    def reset(self) -> None:
        """It answered: begin again at the shortest wait."""
        self._seconds = 0.5
