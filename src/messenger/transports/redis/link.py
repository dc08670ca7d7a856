"""The one seam to a Redis server: send these commands, get these replies. redis-py is behind it and nowhere else.

Replies are RESP2 as the server sent them (bytes, ints, lists), not redis-py's parsed forms, so that another client
library can take its place.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import redis
import redis.backoff
import redis.exceptions
import redis.retry
import redis.sentinel

from messenger.errors import TransportError, TransportUnavailable
from messenger.transports.redis.options import RedisOptions

Argument = str | bytes | int | float
_POLL_SECONDS = 0.05
_GRACE_SECONDS = 5.0
# Replies that say "not now" rather than "not so": the server starts, or is no master any more after a failover.
_NOT_NOW = ("LOADING", "READONLY", "MASTERDOWN", "TRYAGAIN", "CLUSTERDOWN")
# redis-py cuts the code off the text of these.
_CODES: dict[type[Exception], str] = {
    redis.exceptions.NoScriptError: "NOSCRIPT",
    redis.exceptions.ReadOnlyError: "READONLY",
    redis.exceptions.BusyLoadingError: "LOADING",
    redis.exceptions.OutOfMemoryError: "OOM",
    redis.exceptions.NoPermissionError: "NOPERM",
}


class RedisReplyError(TransportError):
    """Redis refused a command.

    code: the first word of its reply, e.g. NOGROUP.
    """

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class RedisLink:
    """A connection to one Redis, opened at first use and again after it broke. For one thread at a time."""

    def __init__(self, options: RedisOptions) -> None:
        self._options = options
        self._pool: redis.ConnectionPool | None = None
        self._connection: Any = None
        self._client_id: int | None = None
        self._closed_at = float("-inf")

    def call(self, *command: Argument) -> Any:
        """The reply to one command. Raises RedisReplyError, TransportUnavailable."""
        return self.pipeline([command])[0]

    def pipeline(self, commands: Sequence[Sequence[Argument]], *, transaction: bool = False) -> list[Any]:
        """The replies to several commands sent at once; with `transaction` all of them run or none.

        Raises RedisReplyError for the first command that was refused, TransportUnavailable.
        """
        replies = self.exchange([("MULTI",), *commands, ("EXEC",)] if transaction else commands)
        for reply in replies:
            if isinstance(reply, TransportError):
                raise reply
        return list(replies[-1]) if transaction else replies

    def wait(self, command: Sequence[Argument], seconds: float, stop: Callable[[], bool]) -> Any:
        """The reply to a blocking command that ends by itself after `seconds`, or sooner once `stop()` is true.

        What the server handed out in the moment of stopping is still returned, so nothing is lost.
        """
        connection = self._ready()
        try:
            if self._client_id is None:
                self._client_id = self._roundtrip(connection, [("CLIENT", "ID")])[0]
            connection.send_command(*command)
            deadline = time.monotonic() + seconds + _GRACE_SECONDS
            while not connection.can_read(_POLL_SECONDS):
                if stop():
                    self._unblock(self._client_id)
                    break
                if time.monotonic() > deadline:
                    raise redis.TimeoutError("no reply to a blocking read")
            return connection.read_response()
        except redis.ResponseError as error:
            raise self._translate(error) from error
        except (redis.RedisError, OSError) as error:
            raise self._lost(error) from error

    def close(self) -> None:
        """Drop the connection."""
        if self._pool is not None:
            self._pool.disconnect()
        self._pool = self._connection = self._client_id = None

    def exchange(self, commands: Sequence[Sequence[Argument]]) -> list[Any]:
        """The replies to several commands sent at once; a refused one is a RedisReplyError in its place.

        Raises TransportUnavailable.
        """
        connection = self._ready()
        try:
            replies = self._roundtrip(connection, commands)
        except (redis.RedisError, OSError) as error:
            raise self._lost(error) from error
        return [self._translate(r) if isinstance(r, redis.ResponseError) else r for r in replies]

    def _roundtrip(self, connection: Any, commands: Sequence[Sequence[Argument]]) -> list[Any]:
        connection.send_packed_command(connection.pack_commands(commands))
        replies: list[Any] = []
        for _ in commands:
            try:
                replies.append(connection.read_response())
            except redis.ResponseError as error:
                replies.append(error)
        return replies

    def _unblock(self, client_id: int | None) -> None:
        helper = RedisLink(self._options)
        try:
            helper.call("CLIENT", "UNBLOCK", client_id or 0)
        except TransportError:
            pass  # the blocking command then ends by its own timeout
        finally:
            helper.close()

    def _ready(self) -> Any:
        try:
            if self._connection is not None and self._connection.can_read(0):
                self.close()  # closed by the server, or a reply nobody waits for
            if self._connection is None:
                pause = self._closed_at + self._options.retry_interval / 1000 - time.monotonic()
                if pause > 0:
                    time.sleep(pause)
                self._pool = self._pool or _make_pool(self._options)
                self._connection = self._pool.get_connection()
        except (redis.RedisError, OSError) as error:
            raise self._lost(error) from error
        return self._connection

    def _lost(self, error: Exception) -> TransportUnavailable:
        self.close()
        self._closed_at = time.monotonic()
        return TransportUnavailable(f"{self._options.address}: {_plain(error)}")

    def _translate(self, error: redis.ResponseError) -> TransportError:
        code = _CODES.get(type(error)) or str(error).split(" ", 1)[0]
        if code in _NOT_NOW:
            return self._lost(error)
        return RedisReplyError(f"{self._options.address}: {error}", code)


def _plain(error: Exception) -> str:
    text = str(error).strip().rstrip(".")
    if isinstance(error, redis.AuthenticationError) or text.startswith(("NOAUTH", "WRONGPASS")):
        return f"the password or user was refused ({text})"
    return text or type(error).__name__


def _make_pool(options: RedisOptions) -> redis.ConnectionPool:
    arguments: dict[str, Any] = {
        "db": options.dbindex,
        "username": options.user,
        "password": options.password,
        "socket_connect_timeout": options.timeout or None,
        "socket_timeout": options.read_timeout or None,
        "protocol": 2,
        "retry": redis.retry.Retry(redis.backoff.NoBackoff(), 0),
        "client_name": "messenger",
    }
    if options.sentinel_master:
        # Without a retry of its own: one sentinel that is down must not hold up the question to the next.
        names = ("socket_connect_timeout", "retry")
        sentinel_arguments = {"socket_timeout": options.timeout or None, **{name: arguments[name] for name in names}}
        manager = redis.sentinel.Sentinel(list(options.sentinels), sentinel_kwargs=sentinel_arguments)  # type: ignore[no-untyped-call]
        if options.tls:
            arguments |= {"ssl": True, **options.ssl}
        return redis.sentinel.SentinelConnectionPool(options.sentinel_master, manager, **arguments)  # type: ignore[no-untyped-call]
    if options.socket_path:
        return redis.ConnectionPool(
            connection_class=redis.UnixDomainSocketConnection, path=options.socket_path, **arguments
        )
    connection_class = redis.SSLConnection if options.tls else redis.Connection
    extra = {"host": options.host, "port": options.port, "socket_keepalive": True, **options.ssl}
    return redis.ConnectionPool(connection_class=connection_class, **extra, **arguments)
