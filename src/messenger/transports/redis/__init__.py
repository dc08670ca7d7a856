"""The Redis Streams transport."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from messenger.redis.dsn import parse_redis_dsn
from messenger.transports.base import Transport, TransportContext
from messenger.transports.redis.transport import RedisTransport

__all__ = ["create"]


def create(name: str, dsn: str, options: Mapping[str, Any], context: TransportContext) -> Transport:
    """Create a Redis transport for a DSN.

    It connects at first use. With ``lazy=false``, Symfony's default, a worker waits for Redis at its start, before it
    reads any transport.

    Raises:
        ConfigError: The DSN or an option cannot be used.
    """
    parsed = parse_redis_dsn(name, dsn, options)
    if parsed.nodes:
        from messenger.redis.cluster import check_stream_name

        check_stream_name(name, parsed.stream)
    return RedisTransport(name, parsed, context.serializer, context.worker_id, context.max_deliveries)
