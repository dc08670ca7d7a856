"""State of a Redis server from INFO: version, role, eviction, memory; and of its cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from messenger.checks.finding import Finding, Place
from messenger.errors import TransportError
from messenger.redis.connection import RedisConnection, RedisReplyError
from messenger.redis.options import RedisOptions

# XAUTOCLAIM, and ranges that exclude their start.
_OLDEST = (6, 2)
_MEMORY_SHARE = 0.85


def server_facts(connection: RedisConnection) -> dict[str, str]:
    """INFO as a map; empty when this user may not ask."""
    try:
        text: bytes = connection.call("INFO")
    except RedisReplyError as error:
        if error.code == "NOPERM":
            return {}
        raise
    lines = (line.partition(":") for line in text.decode(errors="replace").splitlines())
    return {name: value for name, colon, value in lines if colon}


def check_server(options: RedisOptions, facts: Mapping[str, str]) -> Iterator[Finding]:
    """facts: from server_facts."""
    if not facts:
        yield Place("redis-info", options.address).warn(
            f"user {options.user or 'default'!r} may not run info, so version, role, eviction, persistence and memory "
            "were not looked at",
            f"ACL SETUSER {options.user or 'default'} +info",
        )
        return
    yield _check_version(options.address, facts)
    yield _check_role(options.address, facts)
    yield _check_eviction(options.address, facts)
    yield _check_memory(options.address, facts)
    if options.wait_replicas:
        yield _check_replicas(options, facts)


def _check_version(where: str, facts: Mapping[str, str]) -> Finding:
    place = Place("redis-version", where)
    version = facts.get("redis_version", "")
    found = re.match(r"(\d+)\.(\d+)", version)
    if found is None or (int(found[1]), int(found[2])) >= _OLDEST:
        name, version = ("Valkey", facts["valkey_version"]) if "valkey_version" in facts else ("Redis", version)
        return place.ok(f"{name} {version or 'of an unknown version'}")
    return place.fail(f"Redis {version} has no XAUTOCLAIM", "Redis 6.2 or newer")


def _check_role(where: str, facts: Mapping[str, str]) -> Finding:
    place = Place("redis-role", where)
    if facts.get("role") != "slave":
        return place.ok("it is a master")
    master = f"{facts.get('master_host')}:{facts.get('master_port')}"
    if facts.get("slave_read_only") == "1":
        return place.fail(
            f"it is a read-only replica of {master}", f"the DSN of the master, {master}, or of its sentinels"
        )
    return place.fail(
        f"it is a replica of {master}: what is written here is lost at the next synchronisation",
        f"the DSN of the master, {master}, or of its sentinels",
    )


def _check_replicas(options: RedisOptions, facts: Mapping[str, str]) -> Finding:
    place = Place("redis-replicas", options.address)
    found = facts.get("connected_slaves", "0")
    if int(found) >= options.wait_replicas:
        return place.ok(f"it has {found} replicas, wait_replicas is {options.wait_replicas}")
    return place.fail(
        f"it has {found} replicas and wait_replicas is {options.wait_replicas}: each dispatch raises NotReplicated",
        "connect the replicas, or a smaller wait_replicas",
    )


def _check_eviction(where: str, facts: Mapping[str, str]) -> Finding:
    place = Place("redis-eviction", where)
    policy = facts.get("maxmemory_policy", "unknown")
    change = "maxmemory-policy noeviction in redis.conf, and CONFIG SET maxmemory-policy noeviction"
    if policy == "noeviction":
        return place.ok("maxmemory-policy is noeviction")
    if policy.startswith("volatile"):  # messages have no time to live
        return place.warn(f"maxmemory-policy is {policy}: at the memory limit workers vanish from the registry", change)
    if facts.get("maxmemory") == "0":
        return place.warn(f"maxmemory-policy is {policy}: with a maxmemory set, messages would be deleted", change)
    return place.fail(f"maxmemory-policy is {policy}: at the memory limit messages are deleted", change)


def _check_memory(where: str, facts: Mapping[str, str]) -> Finding:
    place = Place("redis-memory", where)
    used, limit = int(facts.get("used_memory", 0)), int(facts.get("maxmemory", 0))
    if not limit:
        return place.ok(f"{_size(used)} used, no maxmemory")
    found = f"{_size(used)} of maxmemory {_size(limit)} used"
    change = "raise maxmemory; `messenger stats` shows which transport has grown"
    if used >= limit:
        return place.fail(f"{found}: nothing can be sent", change)
    return place.warn(found, change) if used >= limit * _MEMORY_SHARE else place.ok(found)


def _size(count: int) -> str:
    return f"{count / 1024**2:.0f} MiB"


def check_holder(
    connection: RedisConnection, where: str, options: RedisOptions, server: RedisOptions
) -> Iterator[Finding]:
    """server: the node that `connection` leads to; what is said of a server after this is said of it."""
    place = Place("redis-cluster", f"{where} ({options.address})")
    found = f"the keys of {options.stream} are on {server.host}:{server.port}"
    replicas = server_facts(connection).get("connected_slaves")
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
        connection = RedisConnection(node)
        try:
            connection.call("CLUSTER", "SLOTS")
        except TransportError as error:
            reason = str(error).removeprefix(f"{node.address}: ")
            change = "start it, or take it out of the DSN; users and passwords are set on each node (ACL SETUSER)"
            yield Place("redis-node", node.address).warn(f"cannot be used: {reason}", change)
        finally:
            connection.close()
