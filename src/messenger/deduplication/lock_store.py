"""What a store of locks is."""

from __future__ import annotations

from typing import Protocol


class LockStore(Protocol):
    """Locks by key, each with its owner until it expires.

    Every method raises TransportError, TransportUnavailable when the place where they lie is away, and changes nothing
    then. seconds: at least that long from now; none of them makes the time of a lock shorter.
    """

    def take(self, key: str, owner: str, seconds: float) -> str:
        """Take the lock if it is free or `owner`'s already. Returns who has it now."""
        ...

    def renew(self, key: str, owner: str, seconds: float) -> None:
        """Keep the lock for longer if it is still `owner`'s; else do nothing. It never takes one."""
        ...

    def release(self, key: str, owner: str) -> None:
        """Free the lock if it is still `owner`'s; else do nothing."""
        ...

    def close(self) -> None:
        """Let go of a connection."""
        ...
