"""Two transports that are one queue: each would receive what was sent to the other."""

from __future__ import annotations

import os
import socket
from collections.abc import Hashable, Mapping
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import unquote, urlsplit

from messenger.config.dsn import parse_dsn, read_options
from messenger.config.model import TransportConfig
from messenger.errors import ConfigError

_REDIS = ("redis", "rediss", "valkey", "valkeys")
DEFAULT_FILE = "messenger.db"  # of transports/sql/options.py, which imports SQLAlchemy
_SQL_DEFAULTS = {"table_name": "messenger_messages", "queue_name": "default"}
Queue = tuple[str, Hashable]  # what people call it, and where it is


def check_distinct(
    transports: Mapping[str, TransportConfig],
    connections: Mapping[str, str],
    failure_transports: Mapping[str, str | None],
    state_dir: Path,
) -> None:
    """Refuse two transports on one Redis stream and group, or on one queue of one SQL table.

    Also a failure transport on the stream of its transport, whatever its group.

    A DSN that cannot be read is no matter of this function.

    Args:
        transports: By name.
        connections: Database URLs by connection name.
        failure_transports: By transport name; None where failed messages are discarded.
        state_dir: Where SQLite files of a relative path are.

    Raises:
        ConfigError: Naming both transports, and what tells them apart.
    """
    seen: dict[Queue, str] = {}
    streams: dict[str, Hashable] = {}
    schemes = [config.dsn.split(":", 1)[0] for config in transports.values()]
    several_redis = sum(scheme in _REDIS for scheme in schemes) > 1
    for (name, config), scheme in zip(transports.items(), schemes, strict=True):
        try:
            if scheme == "doctrine":
                queue = _sql_queue(name, config, connections, state_dir)
            elif scheme in _REDIS and several_redis:
                queue, streams[name] = _redis_queue(name, config)
            else:
                continue
        except ConfigError:
            continue
        other = seen.setdefault(queue, name)
        if other != name:
            cure = "queue_name" if scheme == "doctrine" else "stream (the path of a DSN wins over options)"
            raise ConfigError(
                f"transports.{name} and transports.{other} are one and the same queue ({queue[0]}): each would receive "
                f"what is sent to the other; give one of them another {cure}"
            )
    _check_failure_streams(failure_transports, streams)


def _check_failure_streams(failure_transports: Mapping[str, str | None], streams: Mapping[str, Hashable]) -> None:
    """Each group of a stream receives all of its messages, so another group is no other place for failed ones."""
    for name, target in failure_transports.items():
        if target not in (None, name) and name in streams and streams[name] == streams.get(target or ""):
            raise ConfigError(
                f"transports.{target} is the failure transport of transports.{name}, and on the same stream: each of "
                "its groups receives what failed, again and again; give one of them another stream (the path of a DSN "
                "wins over options)"
            )


def _redis_queue(name: str, config: TransportConfig) -> tuple[Queue, Hashable]:
    """The queue, and the stream it is of."""
    from messenger.redis.dsn import parse_redis_dsn

    found = parse_redis_dsn(name, config.dsn, config.options)
    socket_path = os.path.realpath(found.socket_path) if found.socket_path else None
    server = found.sentinel_master or socket_path or frozenset(found.nodes) or (_host(found.host), found.port)
    stream = (server, found.dbindex, found.stream)
    return (f"stream {found.stream!r}, group {found.group!r}", (*stream, found.group)), stream


def _host(name: str) -> str:
    """One name for the ways to write a host; each address of the loopback network is this machine."""
    name = name.lower().rstrip(".")
    try:
        address = ip_address(socket.inet_ntoa(socket.inet_aton(name)) if name[-1:].isdigit() else name)
    except (OSError, ValueError):
        return name
    return "localhost" if address.is_loopback else str(address)


def _database(url: str, state_dir: Path) -> Hashable:
    """One value for the ways to write the URL of a database."""
    driver, _, rest = url.partition("://")
    parts = urlsplit(f"database://{rest}")
    if "sqlite" in driver:
        return os.path.realpath(state_dir / unquote(parts.path.removeprefix("/")))
    return _host(parts.hostname or ""), parts.port or 5432, parts.path


def _sql_queue(name: str, config: TransportConfig, connections: Mapping[str, str], state_dir: Path) -> Queue:
    dsn = parse_dsn(name, config.dsn)
    given = {
        key: value for source in (config.options, dsn.query) for key, value in source.items() if key in _SQL_DEFAULTS
    }
    values = read_options(name, _SQL_DEFAULTS, given)
    urls = {"default": f"sqlite:///{DEFAULT_FILE}"} | {known.lower(): url for known, url in connections.items()}
    host = dsn.host.lower()
    try:
        database = _database(urls[host], state_dir) if host in urls else host
    except ValueError:  # no URL: said when the transport is made
        database = urls[host]
    table, queue = values["table_name"], values["queue_name"]
    return f"table {table!r}, queue {queue!r}", (database, table, queue)
