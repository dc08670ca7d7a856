"""Permissions for every command that the transport sends, on every key it uses.

Each command is tried inside a transaction that is discarded: Redis checks the permissions when a command is queued, and
runs it at EXEC, which never comes. That works for every user and version. ACL DRYRUN and ACL GETUSER are for
administrators only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from messenger.checks.finding import Finding, Place
from messenger.redis.connection import RedisConnection, RedisReplyError
from messenger.redis.options import RedisOptions
from messenger.transports.redis.commands import RequiredCommand

_ONLY_OUTSIDE = ("multi",)
_OF_APPLICATION = re.compile(r":(stop|paused|workers|worker|reply|rate|deduplicate)(:.*)?$")

Features = Mapping[str, Sequence[RequiredCommand]]
"""What each feature that not every application uses needs besides."""


def check_rights(
    connection: RedisConnection,
    where: str,
    options: RedisOptions,
    needed: Sequence[RequiredCommand],
    features: Features,
) -> Iterator[Finding]:
    """What is missing and the rule that gives it, or that nothing is; and which features would need more."""
    place = Place("redis-rights", f"{where} ({options.address})")
    user = options.user or "default"
    (on_multi,) = connection.exchange([("MULTI",)])
    connection.close()  # ends what MULTI began
    if _is_denied(on_multi):
        yield place.fail(
            f"user {user!r} may not run multi, so nothing else was tried",
            f"redis_users of the inventory: user {user} with rights: application, then site.yml; on a Redis that "
            f"the kit did not set up: ACL SETUSER {user} +multi",
        )
        return
    commands, keys = _denied(connection, [each for each in needed if each.name not in _ONLY_OUTSIDE])
    if commands or keys:
        found = [f"run {', '.join(commands)}"] * bool(commands) + [f"use {_and(keys)}"] * bool(keys)
        yield place.fail(
            f"user {user!r} may not {' and not '.join(found)}",
            f"redis_users of the inventory: user {user} with {_entry(options, commands, keys)}, then site.yml; on a "
            f"Redis that the kit did not set up: ACL SETUSER {user} {_rules(commands, keys)}",
        )
    else:
        yield place.ok(f"user {user!r} may run every command it needs")
    for feature, more in features.items():
        commands, keys = _denied(connection, more)
        if commands or keys:
            allows = f"ACL SETUSER {user} {_rules(commands, keys)}"
            yield place.ok(f"user {user!r} may not use {feature}; what allows it: {allows}")


def _rules(commands: Sequence[str], keys: Sequence[str]) -> str:
    return " ".join([*(f"+{command}" for command in commands), *(f"~{key}" for key in keys)])


def _entry(options: RedisOptions, commands: Sequence[str], keys: Sequence[str]) -> str:
    """What the user's entry in redis_users lacks; the kit takes back what was done to its users by hand."""
    of_stream = [key for key in keys if key == options.stream or key.startswith(f"{options.stream}__")]
    applications = dict.fromkeys(_OF_APPLICATION.sub("", key) for key in keys if key not in of_stream)
    lacks = ["rights: application"] * bool(commands) + [f"application: {name}" for name in applications]
    return ", ".join(lacks + [f"{options.stream} in its streams"] * bool(of_stream))


def _denied(connection: RedisConnection, needed: Sequence[RequiredCommand]) -> tuple[list[str], list[str]]:
    """The names of the commands, and the keys, that are refused."""
    replies = connection.exchange([("MULTI",), *(each.words for each in needed), ("DISCARD",)])[1:-1]
    connection.close()  # where DISCARD is refused, this is what throws the transaction away
    commands: dict[str, None] = {}
    keys: dict[str, None] = {}
    for each, reply in zip(needed, replies, strict=True):
        if _is_denied(reply):
            if "to run the" in str(reply) or each.key is None:
                commands[each.name] = None
            else:
                keys[each.key] = None
    return list(commands), list(keys)


def _is_denied(reply: object) -> bool:
    return isinstance(reply, RedisReplyError) and reply.code == "NOPERM"


def _and(keys: Sequence[str]) -> str:
    return f"the key{'s' * (len(keys) > 1)} {', '.join(keys)}"
