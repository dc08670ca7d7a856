"""Every command that the transport and the control plane send to Redis: the rights their user needs.

The one list of them: `messenger check` tries each (see messenger.checks.redis_rights), and
tests/integration/redis/test_commands_sent.py compares it with what is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from messenger.redis.driver import Argument
from messenger.redis.options import RedisOptions

_CONTAINERS = frozenset(("CLIENT", "CLUSTER", "XGROUP", "XINFO"))
# An argument that makes Redis refuse the command when it runs, after it has looked at the rights.
_BAD = "invalid"


@dataclass(frozen=True, slots=True)
class RequiredCommand:
    """A command that must be allowed, with an example that would do nothing, or be refused as nonsense.

    Attributes:
        key: The key of the example; a pattern where there are many, which Redis takes for a key as well.
    """

    words: tuple[Argument, ...]
    key: str | None = None

    @property
    def name(self) -> str:
        """As ACL SETUSER takes it: xadd, xgroup|create."""
        words = [str(word).lower() for word in self.words[:2]]
        return "|".join(words) if self.words[0] in _CONTAINERS else words[0]


def transport_commands(options: RedisOptions) -> list[RequiredCommand]:
    """What a transport needs: to send, to receive, to look, and to keep its consumer name."""
    needed = [
        *_connection(options),
        *_stream(options.stream, options.group),
        *_delayed(f"{options.stream}__queue"),
    ]
    if options.consumer is not None:
        needed += _consumer_lock(f"{options.stream}__consumer:{options.group}:{options.consumer}")
    return needed


def cluster_commands(options: RedisOptions) -> list[RequiredCommand]:
    """What it takes to find and follow a slot; nothing where there is no cluster."""
    return [RequiredCommand(("CLUSTER", "SLOTS")), RequiredCommand(("ASKING",))] if options.nodes else []


def control_commands(name: str) -> list[RequiredCommand]:
    """Return the commands of the control plane: stop signal, registry of workers, replies.

    Args:
        name: Prefix of its keys, the name in messenger.yaml; in a cluster in braces.
    """
    stop, paused, workers = f"{name}:stop", f"{name}:paused", f"{name}:workers"
    worker, reply = f"{name}:worker:*", f"{name}:reply:*"
    return [
        _on(stop, "HINCRBY", "all", _BAD),
        *(_on(key, "HLEN") for key in (stop, paused)),
        *(_on(key, "HKEYS") for key in (stop, paused)),
        *(_on(key, "HSTRLEN", "all") for key in (stop, paused)),
        *(_on(key, "HGET", "all") for key in (stop, paused)),
        *(_on(key, "HSET", "check", "", "a field without a value") for key in (stop, paused)),
        *(_on(key, "HDEL", "check") for key in (stop, paused)),
        *(_on(key, "TYPE") for key in (stop, paused, workers)),
        *(_on(key, "DEL") for key in (stop, paused, workers, worker, reply)),
        _on(workers, "ZADD", _BAD, ""),
        _on(workers, "ZREM", ""),
        _on(workers, "ZCARD"),
        _on(workers, "ZREMRANGEBYSCORE", _BAD, _BAD),
        _on(workers, "ZRANGEBYSCORE", _BAD, _BAD),
        *(_on(key, "STRLEN") for key in (worker, reply)),
        *(_on(key, "GET") for key in (worker, reply)),
        *(_on(key, "SET", "", "NX", "XX") for key in (worker, reply)),
        *(each for key in (stop, paused, workers, worker, reply) for each in _scripts(key)),
        RequiredCommand(("TIME",)),
        RequiredCommand(("MULTI",)),  # `messenger check` tries commands in a transaction that it throws away
    ]


def limiter_commands(name: str, limiters: Iterable[str]) -> list[RequiredCommand]:
    """Return the commands of rate limiters, which count in the Redis of the control plane.

    Args:
        name: See control_commands.
        limiters: Names of the limiters in messenger.yaml.
    """
    needed: list[RequiredCommand] = []
    for limiter in limiters:
        key = f"{name}:rate:{limiter}*"  # one without a key has nothing after its name
        needed += [
            _on(key, "HSTRLEN", ""),
            _on(key, "HGET", ""),
            _on(key, "HSET", "", "", _BAD),
            _on(key, "PEXPIRE", _BAD),
            _on(key, "TYPE"),
            _on(key, "DEL"),
        ]
        needed += _scripts(key)
    return needed


def deduplicate_commands(name: str) -> list[RequiredCommand]:
    """What a message with a DeduplicateStamp needs besides. name: as for control_commands."""
    key = f"{name}:deduplicate:*"
    needed = [
        _on(key, "SET", "", "NX", "XX"),
        _on(key, "GET"),
        _on(key, "STRLEN"),
        _on(key, "PTTL"),
        _on(key, "PEXPIRE", _BAD),
        _on(key, "DEL"),
    ]
    return [*needed, *_scripts(key)]


def _connection(options: RedisOptions) -> Iterator[RequiredCommand]:
    yield RequiredCommand(("CLIENT", "SETNAME", "messenger"))
    yield RequiredCommand(("CLIENT", "ID"))
    yield RequiredCommand(("CLIENT", "UNBLOCK", 0))  # no client has this id
    yield RequiredCommand(("TIME",))
    yield from cluster_commands(options)
    if options.wait_replicas:
        yield RequiredCommand(("WAIT", 0, 1))
    if options.dbindex:
        yield RequiredCommand(("SELECT", options.dbindex))


def _stream(stream: str, group: str) -> Iterator[RequiredCommand]:
    yield _on(stream, ("XGROUP", "CREATE"), group, _BAD)
    yield _on(stream, ("XGROUP", "DELCONSUMER"), group, "")
    yield _on(stream, ("XINFO", "GROUPS"))
    yield _on(stream, ("XINFO", "CONSUMERS"), group)
    yield _on(stream, "XADD", _BAD, "message", "")
    yield RequiredCommand(("XREADGROUP", "GROUP", group, "check", "STREAMS", stream, _BAD), stream)
    yield _on(stream, "XAUTOCLAIM", group, "check", _BAD, "0-0")
    yield _on(stream, "XCLAIM", group, "check", _BAD, "0-0")
    yield _on(stream, "XPENDING", group)
    yield _on(stream, "XACK", group, "0-0")  # no entry has this id
    yield _on(stream, "XDEL", "0-0")
    yield _on(stream, "XRANGE", "-", "-")
    yield _on(stream, "XLEN")
    yield from _scripts(stream)


def _delayed(queue: str) -> Iterator[RequiredCommand]:
    yield _on(queue, "ZADD", _BAD, "")
    yield _on(queue, "ZREM", "")
    yield _on(queue, "ZCARD")
    yield _on(queue, "ZRANGE", 0, 0)
    yield _on(queue, "ZRANGEBYSCORE", _BAD, _BAD)
    yield _on(queue, "TYPE")
    yield _on(queue, "DEL")


def _consumer_lock(lock: str) -> Iterator[RequiredCommand]:
    yield _on(lock, "SET", "", "NX", "XX")
    yield _on(lock, "GET")
    yield _on(lock, "STRLEN")
    yield _on(lock, "PTTL")
    yield _on(lock, "PEXPIRE", _BAD)
    yield _on(lock, "DEL")


def _scripts(key: str) -> list[RequiredCommand]:
    return [RequiredCommand(("EVALSHA", "0" * 40, 1, key), key), RequiredCommand(("EVAL", "return 1", 1, key), key)]


def _on(key: str, command: str | Sequence[str], *arguments: Argument) -> RequiredCommand:
    words = (command,) if isinstance(command, str) else tuple(command)
    return RequiredCommand((*words, key, *arguments), key)
