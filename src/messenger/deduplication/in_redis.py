"""The locks in one Redis: each a key that expires, with its owner as the value; each step is one script on one key."""

from __future__ import annotations

import math

from messenger.redis.open import connect
from messenger.redis.options import RedisOptions
from messenger.redis.scripts import Script


class RedisLockStore:
    """A LockStore in Redis. Connects at first use."""

    def __init__(self, options: RedisOptions, prefix: str) -> None:
        """Create a store.

        Args:
            options: Where Redis is.
            prefix: Prefix of its keys, `<prefix>:<key>`.
        """
        self._connection = connect(options)
        self._prefix = prefix
        self._take = Script("take_lock", "messenger.redis", prelude="lock")
        self._renew = Script("renew_lock", "messenger.redis", prelude="lock")
        self._release = Script("release_lock", "messenger.redis", prelude="lock")

    def take(self, key: str, owner: str, seconds: float) -> str:
        """See LockStore."""
        holder: bytes = self._take.run(self._connection, (self._key(key),), (owner, _milliseconds(seconds)))
        return holder.decode("utf-8", "replace")

    def renew(self, key: str, owner: str, seconds: float) -> None:
        """See LockStore."""
        self._renew.run(self._connection, (self._key(key),), (owner, _milliseconds(seconds)))

    def release(self, key: str, owner: str) -> None:
        """See LockStore."""
        self._release.run(self._connection, (self._key(key),), (owner,))

    def close(self) -> None:
        """Drop the connection."""
        self._connection.close()

    def _key(self, key: str) -> str:
        return f"{self._prefix}:{key}"


def _milliseconds(seconds: float) -> int:
    return math.ceil(seconds * 1000)
