"""Open a link as the options say: to one server, or to a node of a cluster."""

from __future__ import annotations

from messenger.redis.link import RedisLink
from messenger.redis.options import RedisOptions


def link_to(options: RedisOptions) -> RedisLink:
    """A link to the server that the options name; in a cluster, to the node that holds `options.stream`."""
    if not options.nodes:
        return RedisLink(options)
    from messenger.redis.cluster import ClusterLink

    return ClusterLink(options)
