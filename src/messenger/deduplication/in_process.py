"""Locks inside one process, for the tests of applications."""

from __future__ import annotations

import threading
from collections.abc import Callable


class InProcessLockStore:
    """A LockStore in memory, with the rules of the Lua scripts. Thread-safe."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Create a store.

        Args:
            clock: Returns the time in seconds.
        """
        self._clock = clock
        self._locks: dict[str, tuple[str, float]] = {}
        self._one_at_a_time = threading.Lock()

    def take(self, key: str, owner: str, seconds: float) -> str:
        """See LockStore."""
        with self._one_at_a_time:
            holder, until = self._locks.get(key, (owner, 0.0))
            if holder != owner and until > self._clock():
                return holder
            self._set(key, owner, seconds)
            return owner

    def renew(self, key: str, owner: str, seconds: float) -> None:
        """See LockStore."""
        with self._one_at_a_time:
            holder, until = self._locks.get(key, ("", 0.0))
            if holder == owner and until > self._clock():
                self._set(key, owner, seconds)

    def release(self, key: str, owner: str) -> None:
        """See LockStore."""
        with self._one_at_a_time:
            if self._locks.get(key, ("", 0.0))[0] == owner:
                del self._locks[key]

    def close(self) -> None:
        """Nothing to do."""

    def _set(self, key: str, owner: str, seconds: float) -> None:
        holder, before = self._locks.get(key, (owner, 0.0))
        until = self._clock() + seconds
        self._locks[key] = (owner, max(before, until) if holder == owner else until)
