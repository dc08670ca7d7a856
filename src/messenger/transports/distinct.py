"""Two transports that are one queue: each would receive what was sent to the other."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from messenger.config.model import TransportConfig
from messenger.dsn import parse_dsn, read_options
from messenger.errors import ConfigError

_REDIS = ("redis", "rediss", "valkey", "valkeys")
_LOCALHOST = ("localhost", "127.0.0.1", "::1")
_SQL_DEFAULTS = {"table_name": "messenger_messages", "queue_name": "default"}
Queue = tuple[str, Hashable]  # what people call it, and where it is


def check_distinct(transports: Mapping[str, TransportConfig], connections: Mapping[str, str]) -> None:
    """Refuse two transports on one Redis stream and group, or on one queue of one SQL table.

    A DSN that cannot be read is no matter of this function.

    Args:
        transports: By name.
        connections: Database URLs by connection name.

    Raises:
        ConfigError: Naming both transports, and what tells them apart.
    """
    seen: dict[Queue, str] = {}
    schemes = [config.dsn.split(":", 1)[0] for config in transports.values()]
    several_redis = sum(scheme in _REDIS for scheme in schemes) > 1
    for (name, config), scheme in zip(transports.items(), schemes, strict=True):
        try:
            if scheme == "doctrine":
                queue = _sql_queue(name, config, connections)
            elif scheme in _REDIS and several_redis:
                queue = _redis_queue(name, config)
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


def _redis_queue(name: str, config: TransportConfig) -> Queue:
    from messenger.transports.redis.dsn import parse_redis_dsn

    found = parse_redis_dsn(name, config.dsn, config.options)
    host = "localhost" if found.host in _LOCALHOST else found.host.lower()
    server = found.sentinel_master or found.socket_path or frozenset(found.nodes) or (host, found.port)
    return f"stream {found.stream!r}, group {found.group!r}", (server, found.dbindex, found.stream, found.group)


def _sql_queue(name: str, config: TransportConfig, connections: Mapping[str, str]) -> Queue:
    dsn = parse_dsn(name, config.dsn)
    given = {
        key: value for source in (config.options, dsn.query) for key, value in source.items() if key in _SQL_DEFAULTS
    }
    values = read_options(name, _SQL_DEFAULTS, given)
    urls = {known.lower(): url for known, url in connections.items()}
    database = urls.get(dsn.host.lower(), dsn.host.lower())
    table, queue = values["table_name"], values["queue_name"]
    return f"table {table!r}, queue {queue!r}", (database, table, queue)
