"""The checks of one Redis transport, and of the Redis that holds the control plane."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from messenger.checks.clock import check_clock
from messenger.checks.finding import Finding, Place
from messenger.checks.redis_groups import check_groups
from messenger.checks.redis_persistence import check_persistence
from messenger.checks.redis_reach import check_reach
from messenger.checks.redis_rights import check_rights
from messenger.checks.redis_server import check_holder, check_nodes, check_server, server_facts
from messenger.checks.redis_stream import check_stream
from messenger.control.repair import ControlRepair
from messenger.redis.connection import RedisConnection, RedisReplyError
from messenger.redis.open import connect
from messenger.redis.options import RedisOptions
from messenger.transports.redis.commands import (
    RequiredCommand,
    cluster_commands,
    control_commands,
    deduplicate_commands,
    limiter_commands,
    transport_commands,
)

_SECONDS = 3.0
Step = Callable[[RedisConnection], Iterable[Finding]]


def check_redis_transport(name: str, options: RedisOptions) -> Iterator[Finding]:
    """Check connectivity, persistence and permissions of a Redis transport."""
    where = f"transport {name}"
    steps: list[Step] = [
        lambda connection: check_stream(connection, where, options),
        lambda connection: check_groups(connection, where, options),
    ]
    yield from _check(where, options, transport_commands(options), steps)


def check_control(name: str, options: RedisOptions, limiters: Iterable[str] = ()) -> Iterator[Finding]:
    """The same for the control plane. name: what its keys begin with. limiters: the rate limiters that count there."""
    needed = [*cluster_commands(options), *control_commands(name), *limiter_commands(name, limiters)]
    features = {"DeduplicateStamp": deduplicate_commands(name)}
    yield from _check(
        "control plane", options, needed, [lambda connection: _check_control_values(connection, name)], features
    )


def _check(
    where: str,
    options: RedisOptions,
    needed: Sequence[RequiredCommand],
    more: Sequence[Step],
    features: Mapping[str, Sequence[RequiredCommand]] | None = None,
) -> Iterator[Finding]:
    connection = connect(_impatient(options))
    try:
        reached = check_reach(connection, options)
        yield reached
        if reached.level == "fail":
            return
        server = connection.server
        steps: list[Step] = [_check_server(server), *more]
        if options.nodes:
            steps = [
                lambda connection: check_holder(connection, where, options, server),
                *steps,
                lambda _: check_nodes(_impatient(options)),
            ]
        yield from check_rights(connection, where, server, needed, features or {})
        for step in steps:
            try:
                yield from step(connection)
            except RedisReplyError as error:
                # Which right is missing, or which key has another type, was said already.
                if error.code not in ("NOPERM", "WRONGTYPE"):
                    raise
    finally:
        connection.close()


def _check_server(options: RedisOptions) -> Step:
    def step(connection: RedisConnection) -> Iterator[Finding]:
        yield check_clock(options.address, lambda: _server_time(connection))
        facts = server_facts(connection)
        yield from check_server(options, facts)
        if facts:
            yield from check_persistence(connection, options.address, facts)

    return step


def _server_time(connection: RedisConnection) -> float:
    seconds, microseconds = connection.call("TIME")
    return int(seconds) + int(microseconds) / 1e6


def _impatient(options: RedisOptions) -> RedisOptions:
    """The same server, given up on after a few seconds; the nodes of a cluster share them."""
    seconds = 2 * _SECONDS / max(2, len(options.nodes))
    return replace(
        options,
        timeout=min(options.timeout or seconds, seconds),
        read_timeout=min(options.read_timeout or seconds, seconds),
        retry_interval=0,
    )


def _check_control_values(connection: RedisConnection, prefix: str) -> Iterator[Finding]:
    """Read the registry, the stop counters and the pauses. prefix: what the keys begin with.

    It never fails: workers and commands pass over what is unreadable, and a deploy is not to be stopped by it.
    """
    place = Place("control-values", "control plane")
    problems = ControlRepair(connection, prefix).look()
    for problem in problems:
        yield place.warn(
            f"{problem}: somebody else has written it; workers and commands pass over it",
            "messenger repair, which removes it; and a Redis user of its own for each program (redis_users)",
        )
    if not problems:
        yield place.ok("the registry, the stop counters and the pauses can be read")
