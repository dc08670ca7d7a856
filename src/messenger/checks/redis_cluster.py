"""Which node of a Redis Cluster holds the keys, and whether they outlive it."""

from __future__ import annotations

from collections.abc import Iterator

from messenger.checks.finding import Finding, Place
from messenger.checks.redis_server import server_facts
from messenger.transports.redis.link import RedisLink
from messenger.transports.redis.options import RedisOptions


def check_cluster(link: RedisLink, where: str, options: RedisOptions, server: RedisOptions) -> Iterator[Finding]:
    """server: the node that `link` leads to; what is said of a server after this is said of it."""
    place = Place("redis-cluster", f"{where} ({options.address})")
    found = f"the keys of {options.stream} are on {server.host}:{server.port}"
    replicas = server_facts(link).get("connected_slaves")
    if replicas is None:
        yield place.ok(f"{found}; whether it has a replica cannot be seen (info is refused)")
    elif replicas == "0":
        yield place.warn(
            f"{found}, which has no replica: while it is away nothing is sent or handled",
            "a replica of it: redis-cli --cluster add-node NEW:PORT ANY:PORT --cluster-slave",
        )
    else:
        yield place.ok(f"{found}, which has {replicas} replica{'s' * (replicas != '1')}")
