"""Open a connection as the options say: to one server, or to a node of a cluster."""

from __future__ import annotations

from messenger.redis.connection import RedisConnection
from messenger.redis.options import RedisOptions


def connect(options: RedisOptions) -> RedisConnection:
    """A connection to the server that the options name; in a cluster, to the node that holds `options.stream`."""
    if not options.nodes:
        return RedisConnection(options)
    from messenger.redis.cluster import ClusterConnection

    return ClusterConnection(options)
