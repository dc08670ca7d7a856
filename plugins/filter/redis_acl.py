"""Filters that write users of Redis as the text of an ACL file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

# What each kind of user may run, command by command, never by category. A test compares `application` with the list of
# what the package sends (src/messenger, commands.py) and plays the others. CLIENT TRACKING and its channel tell a
# waiting worker of delayed messages.
RIGHTS = {
    "application": """
        +client|id +client|setname +client|unblock +client|tracking +subscribe &__redis__:invalidate
        +select +wait +time +multi +eval +evalsha +type
        +xadd +xreadgroup +xack +xdel +xlen +xrange +xclaim +xautoclaim +xpending +xgroup|create +xgroup|delconsumer
        +xinfo|groups +xinfo|consumers +xinfo|stream +zadd +zrem +zcard +zrange +zrangebyscore +zremrangebyscore
        +set +get +strlen +del +pttl +pexpire +hset +hget +hlen +hkeys +hstrlen +hdel +hincrby +info
    """,
    "operator": """
        +client|id +client|setname +client|unblock +select +wait +time +multi +eval +evalsha +type
        +xadd +xack +xdel +xlen +xrange +xpending +xgroup|create +xinfo|groups +xinfo|consumers
        +zadd +zrem +zcard +zrange +zrangebyscore +zremrangebyscore
        +set +get +strlen +del +pttl +pexpire +hset +hget +hlen +hkeys +hstrlen +hdel +hincrby +info
    """,
    "monitoring": """
        +ping +time +info +dbsize +select +client|setname +latency|latest +slowlog|len
        +xlen +xpending +xinfo|groups +xinfo|consumers +zcard
    """,
    "replication": "+psync +replconf +ping",
    "sentinel": """
        +ping +info +role +publish +subscribe +multi +exec +slaveof +config|rewrite
        +client|kill +client|setname +script|kill
    """,
}
# A producer may run each command on the kind of key that it is for, by selectors (Redis 7). It reads no message and
# takes none; but XADD can trim a stream, which no rule forbids.
PRODUCER_RIGHTS = {
    "everywhere": "+client|id +client|setname +select +wait +time",
    "stream": "+xadd",
    "delayed": "+zadd +eval +evalsha",
    "deduplication": "+get +set +strlen +pttl +del +eval +evalsha",
}
# The keys of one stream, and those of one application's control plane, rate limits and locks.
STREAM_KEYS = ("", "__queue", "__consumer:*")
APPLICATION_KEYS = (":stop", ":paused", ":workers", ":worker:*", ":reply:*", ":rate:*", ":deduplicate:*")

DEFAULTS = {"password": "", "second_password": "", "application": "messenger", "streams": ["messages"]}


def users_acl(users: Sequence[Mapping[str, Any]], generated: Mapping[str, str] | None = None) -> str:
    """Write the users of an application.

    Args:
        users: Entries of `redis_users`.
        generated: Passwords of the users that have none of their own, by name.

    Returns:
        A line for each user, with SHA-256 hashes in place of passwords.
    """
    return "".join(f"{_user_line(DEFAULTS | dict(user), generated or {})}\n" for user in users)


def passwordless(users: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of those users to whom the inventory gives no password."""
    return [user["name"] for user in users if not user.get("password")]


def kit_acl(password: str, replication_password: str = "", *, sentinel: bool = False) -> str:
    """Write the administrator, and the users by which the servers of a set know each other.

    Args:
        password: The administrator's.
        replication_password: Empty where there are no replicas.
        sentinel: Whether Sentinel watches the set.

    Returns:
        A line for each user, with SHA-256 hashes in place of passwords.
    """
    lines = [f"user default on sanitize-payload {_hashes(password)} ~* &* +@all"]
    if replication_password:
        known = _hashes(replication_password)
        lines.append(
            f"user kit-replication on sanitize-payload {known} resetchannels -@all {_rules(RIGHTS['replication'])}"
        )
        if sentinel:
            lines.append(f"user kit-sentinel on sanitize-payload {known} &* -@all {_rules(RIGHTS['sentinel'])}")
    return "".join(f"{line}\n" for line in lines)


def sentinel_acl(replication_password: str) -> str:
    """Write the users of Sentinel itself: anybody may ask who is master; the other Sentinels may do everything.

    Args:
        replication_password: By which the servers of the set know each other.

    Returns:
        A line for each user, with SHA-256 hashes in place of passwords.
    """
    return (
        "user default on nopass ~* resetchannels -@all"
        " +ping +sentinel|get-master-addr-by-name +sentinel|masters +sentinel|ckquorum\n"
        f"user sentinel on sanitize-payload {_hashes(replication_password)} ~* &* +@all\n"
    )


def _user_line(user: Mapping[str, Any], generated: Mapping[str, str]) -> str:
    hashes = _hashes(user["password"] or generated[user["name"]], user["second_password"])
    begin = f"user {user['name']} on sanitize-payload {hashes}"
    streams, application = user["streams"], user["application"]
    if user["rights"] == "producer":
        selectors = [
            *(
                f"(~{stream}{suffix} {PRODUCER_RIGHTS[kind]})"
                for stream in streams
                for suffix, kind in (("", "stream"), ("__queue", "delayed"))
            ),
            f"(~{application}:deduplicate:* {PRODUCER_RIGHTS['deduplication']})",
        ]
        return f"{begin} resetchannels -@all {PRODUCER_RIGHTS['everywhere']} {' '.join(selectors)}"
    mark = "%R~" if user["rights"] == "monitoring" else "~"
    keys = [*product(streams, STREAM_KEYS), *product([application], APPLICATION_KEYS)]
    patterns = " ".join(f"{mark}{name}{suffix}" for name, suffix in keys)
    return f"{begin} {patterns} resetchannels -@all {_rules(RIGHTS[user['rights']])}"


def _hashes(*passwords: str) -> str:
    """Return the passwords that are not empty as Redis takes their hashes."""
    return " ".join(f"#{hashlib.sha256(str(password).encode()).hexdigest()}" for password in passwords if password)


def _rules(text: str) -> str:
    return " ".join(text.split())


class FilterModule:
    """The filters `redis_users_acl`, `redis_passwordless`, `redis_kit_acl` and `redis_sentinel_acl`."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the functions by the names of the filters."""
        return {
            "redis_users_acl": users_acl,
            "redis_passwordless": passwordless,
            "redis_kit_acl": kit_acl,
            "redis_sentinel_acl": sentinel_acl,
        }
