"""The one seam to a Redis server: send these commands, get these replies. redis-py is behind it and nowhere else.

Replies are RESP2 as the server sent them (bytes, ints, lists), not redis-py's parsed forms, so that another client
library can take its place.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

import redis
from redis.connection import DefaultParser

from messenger.errors import TransportError, TransportUnavailable
from messenger.redis.driver import Argument, DriverConnection, open_connection, unusable_file
from messenger.redis.options import Place, RedisOptions

_UNBLOCK_SECONDS = 0.01
GRACE_SECONDS = 5.0  # a blocked server answers by itself within this time
_NOBODY = 0  # no client has this id
# Replies that say "not now" rather than "not so": the server starts, or is no master any more after a failover.
_NOT_NOW = ("LOADING", "READONLY", "MASTERDOWN", "TRYAGAIN", "CLUSTERDOWN")
# redis-py cuts the code off the text of these.
_CODES = {kind: code for code, kind in DefaultParser.EXCEPTION_CLASSES.items() if isinstance(kind, type)}


class RedisReplyError(TransportError):
    """Redis refused a command.

    Attributes:
        code: First word of the reply, e.g. NOGROUP.
    """

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class RedisConnection:
    """A connection to one Redis, opened at first use and again after it broke. Not thread-safe.

    It belongs to the process that opened it: after a fork, the child process opens its own.

    Attributes:
        opened: Number of times that it has connected.
    """

    def __init__(self, options: RedisOptions, place: Place | None = None) -> None:
        """Create it; it connects at first use.

        Args:
            options: Where Redis is and how to connect.
            place: Host and port, where the options do not set them.
        """
        self._options = options
        self._place = place
        self._connection: DriverConnection | None = None
        self._client_id: int | None = None
        self._blocked_until: float | None = None
        self._helper: RedisConnection | None = None
        self._closed_at = float("-inf")
        self._pid = 0
        self.opened = 0

    def call(self, *command: Argument) -> Any:
        """Return the reply to one command.

        Raises:
            RedisReplyError: Redis refused it.
            TransportUnavailable: Redis cannot be reached.
        """
        reply = self.exchange([command])[0]
        if isinstance(reply, TransportError):
            raise reply
        return reply

    def pipeline(self, commands: Sequence[Sequence[Argument]]) -> list[Any]:
        """Return the replies to several commands that are sent at once.

        Raises:
            RedisReplyError: Redis refused one of them; the error is that of the first.
            TransportUnavailable: Redis cannot be reached.
        """
        replies = self.exchange(commands)
        for reply in replies:
            if isinstance(reply, TransportError):
                raise reply
        return replies

    def exchange(self, commands: Sequence[Sequence[Argument]]) -> list[Any]:
        """Return the replies to several commands that are sent at once; a refusal is a RedisReplyError in its place.

        Raises:
            TransportUnavailable: Redis cannot be reached.
        """
        connection = self._ready()
        replies: list[Any] = []
        try:
            connection.send_packed_command(connection.pack_commands(commands))
            for _ in commands:
                try:
                    replies.append(connection.read_response())
                except redis.ResponseError as error:
                    replies.append(error)
        except (redis.RedisError, OSError) as error:
            raise self._lost(error) from error
        for index, reply in enumerate(replies):
            if isinstance(reply, redis.ResponseError):
                replies[index] = self._translate(reply)
        return replies

    # --- blocking commands -----------------------------------------------------------------------------------------

    def begin(self, command: Sequence[Argument], seconds: float) -> int:
        """Send a blocking command without waiting for its reply; `end` must follow.

        Args:
            command: A command that ends by itself after `seconds`.
            seconds: See above.

        Returns:
            The file descriptor that becomes readable when the reply comes.

        Raises:
            TransportUnavailable: Redis cannot be reached.
        """
        connection = self._ready()
        try:
            if self._client_id is None:
                self._client_id = _ask_client_id(connection)
            connection.send_command(*command)
            self._blocked_until = time.monotonic() + seconds
            return connection._sock.fileno()
        except (redis.RedisError, OSError) as error:
            raise self._lost(error) from error

    def end(self) -> Any:
        """End the blocking command of `begin`, and return its reply: what the server has just delivered, or nothing.

        Raises:
            RedisReplyError: Redis refused the command.
            TransportUnavailable: Redis cannot be reached.
        """
        connection, until = self._connection, self._blocked_until
        if connection is None or until is None:
            raise TransportUnavailable(f"{self._options.address}: nothing was waited for")
        try:
            self._unblock(connection, until + GRACE_SECONDS)
            reply = connection.read_response()
        except redis.ResponseError as error:
            self._blocked_until = None
            raise self._translate(error) from error
        except (redis.RedisError, OSError) as error:
            raise self._lost(error) from error
        self._blocked_until = None
        return reply

    def _unblock(self, connection: DriverConnection, deadline: float) -> None:
        """Return once the reply comes. CLIENT UNBLOCK is repeated, for it may arrive before the command it is to end.

        Where it is refused, the command ends by its own time.
        """
        if not self._options.tls and connection.can_read(0):  # under TLS, readable does not mean that a reply is there
            return
        # A client id is known on this server and nowhere else.
        self._helper = self._helper or RedisConnection(self._options, self.place)
        while time.monotonic() < deadline:
            try:
                if self._helper.call("CLIENT", "UNBLOCK", self._client_id or _NOBODY):
                    return
            except TransportError:
                connection.can_read(max(0.0, deadline - time.monotonic()))
            if connection.can_read(_UNBLOCK_SECONDS):
                return
        raise redis.TimeoutError("no reply to a blocking read")

    @property
    def place(self) -> Place | None:
        """Host and port of the server that this is connected to; None for a socket."""
        connection = self._connection
        return None if self._options.socket_path or connection is None else (connection.host, connection.port)

    @property
    def server(self) -> RedisOptions:
        """The one server that this leads to: a node of a cluster has a place of its own."""
        return self._options

    # --- the connection --------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Drop the connection."""
        if self._connection is not None:
            self._connection.disconnect()
        if self._helper is not None:
            self._helper.close()
        self._connection = None
        self._client_id = self._helper = self._blocked_until = None

    def _ready(self) -> DriverConnection:
        """Return the connection; open another one when it cannot be used.

        Raises:
            TransportUnavailable: Redis cannot be reached.
        """
        connection = self._connection
        if connection is None or self._pid != os.getpid() or self._blocked_until is not None:
            return self._open_anew()
        try:
            # Closed by the server, by a restart or its `timeout`, or with a reply that was not waited for.
            is_stale = connection.can_read(0)
        except (redis.RedisError, OSError):
            is_stale = True
        return self._open_anew() if is_stale else connection

    def _open_anew(self) -> DriverConnection:
        try:
            if self._connection is not None:
                self.close()
            pause = self._closed_at + self._options.retry_interval / 1000 - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            self._connection = connection = self._open()
            self._pid = os.getpid()
            self.opened += 1
        except (redis.RedisError, OSError) as error:
            raise self._lost(error) from error
        return connection

    def _open(self) -> DriverConnection:
        return open_connection(self._options, self._place)

    def _lost(self, error: Exception) -> TransportUnavailable:
        self.close()
        self._closed_at = time.monotonic()
        return TransportUnavailable(f"{self._options.address}: {unusable_file(self._options.ssl) or _plain(error)}")

    def _translate(self, error: redis.ResponseError) -> TransportError:
        code = _CODES.get(type(error)) or str(error).split(" ", 1)[0]
        if code in _NOT_NOW:
            return self._lost(error)
        return RedisReplyError(f"{self._options.address}: {error}", code)


def _ask_client_id(connection: DriverConnection) -> int:
    """Return the id that the server knows the connection by; _NOBODY where it refuses to tell."""
    connection.send_command("CLIENT", "ID")
    try:
        answer = connection.read_response()
    except redis.ResponseError:
        return _NOBODY
    return answer if isinstance(answer, int) else _NOBODY


def _plain(error: Exception) -> str:
    text = str(error).strip().rstrip(".")
    if isinstance(error, redis.AuthenticationError) or text.startswith(("NOAUTH", "WRONGPASS")):
        return f"the password or user was refused ({text})"
    return text or type(error).__name__
