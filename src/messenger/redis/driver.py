"""Connections of redis-py: what is used of them, and opening one: to a port, over TLS, to a socket, by sentinels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from socket import socket
from typing import Any, Protocol, cast

import redis
import redis.backoff
import redis.retry
import redis.sentinel

from messenger.redis.options import Place, RedisOptions

Argument = str | bytes | int | float


class DriverConnection(Protocol):
    """What is used of a connection of redis-py. Every method raises redis.RedisError, OSError."""

    host: str  # of a connection to a port
    port: int
    _sock: socket

    def pack_commands(self, commands: Sequence[Sequence[Argument]], /) -> list[bytes]:
        """Return commands as bytes."""
        ...

    def send_packed_command(self, command: list[bytes], /) -> None:
        """Send what `pack_commands` returned."""
        ...

    def send_command(self, *command: Argument) -> None:
        """Send one command."""
        ...

    def read_response(self) -> Any:
        """Return the next reply. Raises redis.ResponseError for one that refuses its command."""
        ...

    def can_read(self, timeout: float, /) -> bool:
        """Wait up to `timeout` seconds. Return True when something can be read."""
        ...

    def disconnect(self) -> None:
        """Close it."""
        ...


def open_connection(options: RedisOptions, place: Place | None) -> DriverConnection:
    """Open a connection: authenticated, with the right database.

    Args:
        options: Where Redis is and how to connect.
        place: Host and port; None for those of the options.

    Raises:
        redis.RedisError: Redis refused, or cannot be reached.
        OSError: Redis cannot be reached.
    """
    arguments: dict[str, Any] = {
        "db": options.dbindex,
        "username": options.user,
        "password": options.password,
        "socket_connect_timeout": options.timeout or None,
        "socket_timeout": options.read_timeout or None,
        "protocol": 2,
        "retry": _no_retry(),
        "client_name": "messenger",
    }
    connection: Any
    if options.socket_path:
        connection = redis.UnixDomainSocketConnection(path=options.socket_path, **arguments)  # type: ignore
    else:
        host, port = place or _find(options)
        kind = redis.SSLConnection if options.tls else redis.Connection
        connection = kind(host=host, port=port, socket_keepalive=True, **options.ssl, **arguments)
    connection.connect()
    return cast(DriverConnection, connection)


def unusable_file(tls: Mapping[str, Any]) -> str:
    """Which file of the DSN's TLS options cannot be read, and why; empty when all can.

    redis-py says only "No such file or directory".
    """
    for option, name in (("cafile", "ssl_ca_certs"), ("local_cert", "ssl_certfile"), ("local_pk", "ssl_keyfile")):
        if file := tls.get(name):
            try:
                open(file, "rb").close()
            except OSError as error:
                return f"ssl[{option}]={file}: {error.strerror}"
    return ""


def _find(options: RedisOptions) -> Place:
    if not options.sentinel_master:
        return options.host, options.port
    # Without a retry of its own: one sentinel that is down must not hold up the question to the next.
    timeout = options.timeout or None
    arguments = {"socket_timeout": timeout, "socket_connect_timeout": timeout, "retry": _no_retry()}
    manager = redis.sentinel.Sentinel(list(options.sentinels), sentinel_kwargs=arguments)  # type: ignore[no-untyped-call]
    try:
        host, port = manager.discover_master(options.sentinel_master)  # type: ignore[no-untyped-call]
    except redis.sentinel.MasterNotFoundError as error:  # its text has Python objects in it
        raise redis.ConnectionError(f"no sentinel that answers knows a master {options.sentinel_master!r}") from error
    finally:
        for sentinel in manager.sentinels:
            sentinel.close()
    return str(host), int(port)


def _no_retry() -> redis.retry.Retry:
    return redis.retry.Retry(redis.backoff.NoBackoff(), 0)
