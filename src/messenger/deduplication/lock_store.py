"""What a store of locks is."""

from __future__ import annotations

from typing import Protocol


class LockStore(Protocol):
    """Locks by key, each with its owner until it expires.

    Every method raises TransportUnavailable when the store cannot be reached, and TransportError for other failures;
    then nothing has changed. `seconds` is the least time that a lock is kept from now on; no method shortens it.
    """

    def take(self, key: str, owner: str, seconds: float) -> str:
        """Take a lock if it is free or already belongs to `owner`.

        Returns:
            The owner of the lock now.
        """
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
