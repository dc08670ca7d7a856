"""Notifications of changes to the sorted set of delayed messages, by any client, including PHP.

Redis tracks which keys a connection has read, and notifies another connection when one of them changes (CLIENT
TRACKING). Each wait reads the sorted set again, so that each is notified once.
"""

from __future__ import annotations

import logging
import time
from typing import Any

import redis

from messenger.errors import TransportError
from messenger.redis.connection import RedisConnection, RedisReplyError
from messenger.redis.driver import DriverConnection, open_connection
from messenger.redis.options import RedisOptions

log = logging.getLogger(__name__)
_CHANNEL = "__redis__:invalidate"
_QUIET_SECONDS = 0.05  # between two reactions to a burst of changes
_REFUSED_SECONDS = 60.0
_LOST_SECONDS = 1.0


class DelayedWatch:
    """A second connection, which is notified of changes to what `connection` has read. Not thread-safe."""

    def __init__(self, connection: RedisConnection, options: RedisOptions) -> None:
        """Create it; it connects with the first `begin`."""
        self._watched = connection
        self._options = options
        self._connection: DriverConnection | None = None
        self._tracked = 0  # which connection of the connection is tracked
        self._not_before = 0.0
        self._told_at = float("-inf")

    def begin(self) -> tuple[int, ...]:
        """Discard old notifications. Call it before the sorted set is read.

        Returns:
            The file descriptor that becomes readable at the next change; none for now, or where Redis refuses it.
        """
        now = time.monotonic()
        if now < self._not_before:
            return ()
        try:
            told_before = self._told_at
            if self._forget():
                self._told_at = now
                if now - told_before < _QUIET_SECONDS:
                    self._not_before = now + _QUIET_SECONDS
                    return ()
            connection = self._connection
            if connection is None or self._tracked != self._watched.opened:
                connection = self._track()
            return (connection._sock.fileno(),)
        except (redis.RedisError, OSError, TransportError) as error:
            log.debug("not_told_of_delayed_messages: %s", error)
            self.close()
            refused = isinstance(error, redis.ResponseError | RedisReplyError)
            self._not_before = now + (_REFUSED_SECONDS if refused else _LOST_SECONDS)
            return ()

    @property
    def seconds(self) -> float:
        """Return the seconds after which a wait should end without a notification; infinite while these work."""
        left = self._not_before - time.monotonic()
        return left if 0 < left <= _QUIET_SECONDS else float("inf")

    def _forget(self) -> bool:
        """Discard notifications. Return True when there was one."""
        told = False
        while self._connection is not None and self._connection.can_read(0):
            self._connection.read_response()
            told = True
        return told

    def _track(self) -> DriverConnection:
        self.close()
        self._watched.call("CLIENT", "ID")  # connects
        self._connection = connection = open_connection(self._options, self._watched.place)
        client_id = _ask(connection, "CLIENT", "ID")
        _ask(connection, "SUBSCRIBE", _CHANNEL)
        self._watched.call("CLIENT", "TRACKING", "ON", "REDIRECT", client_id, "NOLOOP")
        self._tracked = self._watched.opened
        return connection

    def close(self) -> None:
        """Drop the connection."""
        if self._connection is not None:
            self._connection.disconnect()
        self._connection = None


def _ask(connection: DriverConnection, *command: str) -> Any:
    connection.send_command(*command)
    return connection.read_response()
