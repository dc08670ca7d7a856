"""Keeps a consumer name that the DSN fixes to one process at a time."""

from __future__ import annotations

import time

from messenger.errors import TransportUnavailable
from messenger.printable import printable
from messenger.redis.connection import RedisConnection, RedisReplyError
from messenger.redis.options import RedisOptions
from messenger.redis.scripts import Script


class ConsumerLock:
    """A key with a time to live; two workers under one name would handle each other's pending messages."""

    def __init__(self, options: RedisOptions, owner: str) -> None:
        self._options = options
        self._owner = owner
        self._key = f"{options.stream}__consumer:{options.group}:{options.consumer}"
        self._milliseconds = options.redeliver_timeout * 1000
        self._renew_at = float("-inf")
        self._take = Script("take_lock", "messenger.redis", prelude="lock")
        self._release = Script("release_lock", "messenger.redis", prelude="lock")

    def hold(self, connection: RedisConnection) -> None:
        """Take the lock or renew it.

        Above maxmemory no lock can be taken; then a worker whose name is free goes on, and asks again.

        Raises:
            TransportUnavailable: Another process has the lock.
        """
        if self._options.consumer is None or time.monotonic() < self._renew_at:
            return
        try:
            holder: bytes = self._take.run(connection, (self._key,), (self._owner, self._milliseconds))
        except RedisReplyError as error:
            if error.code != "OOM":
                raise
            return
        if holder != self._owner.encode():
            self._shorten(connection)
            name = printable(holder.decode("utf-8", "backslashreplace"), 100)
            raise TransportUnavailable(
                f"{self._options.address}: the consumer name {self._options.consumer!r} of stream "
                f"{self._options.stream!r} is in use by worker {name}; leave the third part of the DSN's "
                "path away so that each process gets a name of its own"
            )
        self._renew_at = time.monotonic() + self._milliseconds / 4000

    def _shorten(self, connection: RedisConnection) -> None:
        """A clock that was set back makes a key live longer: its holder may be gone. A living one renews it."""
        if connection.call("PTTL", self._key) > self._milliseconds:
            connection.call("PEXPIRE", self._key, self._milliseconds)

    def release(self, connection: RedisConnection) -> None:
        """Give the name back."""
        if self._options.consumer is not None:
            self._release.run(connection, (self._key,), (self._owner,))
        self._renew_at = float("-inf")
