"""Which node of a Redis Cluster holds the keys, whether they outlive it, and whether each named node can be used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from messenger.checks.finding import Finding, Place
from messenger.checks.redis_server import server_facts
from messenger.errors import TransportError
from messenger.redis.link import RedisLink
from messenger.redis.options import RedisOptions


def check_holder(link: RedisLink, where: str, options: RedisOptions, server: RedisOptions) -> Iterator[Finding]:
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


def check_nodes(options: RedisOptions) -> Iterator[Finding]:
    """Log in to each node of the DSN: after a failover it may be the one that counts."""
    for host, port in options.nodes:
        node = replace(options, nodes=(), host=host, port=port)
        link = RedisLink(node)
        try:
            link.call("CLUSTER", "SLOTS")
        except TransportError as error:
            reason = str(error).removeprefix(f"{node.address}: ")
            change = "start it, or take it out of the DSN; users and passwords are set on each node (ACL SETUSER)"
            yield Place("redis-node", node.address).warn(f"cannot be used: {reason}", change)
        finally:
            link.close()
