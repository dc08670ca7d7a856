"""Connectivity of Redis, with a hint at the wrong part of the DSN."""

from __future__ import annotations

from messenger.checks.finding import Finding, Place, advice_for
from messenger.errors import TransportError
from messenger.redis.connection import RedisConnection, RedisReplyError
from messenger.redis.options import RedisOptions

_ADVICE = (
    (
        ("password or user was refused", "wrongpass", "noauth"),
        "correct user and password in the DSN, special characters percent-encoded; ACL LIST shows the server's users",
    ),
    (("cluster|slots",), "ACL SETUSER {user} +cluster|slots +asking"),
    (("cluster support disabled",), "one server in the DSN, without redis_cluster; or the nodes of a cluster"),
    (("no permissions", "noperm"), "ACL SETUSER {user} +client|setname +select"),
    (
        ("db index is out of range", "invalid db index"),
        "take a smaller dbindex in the DSN, or raise `databases` in redis.conf",
    ),
    (
        ("certificate verify failed", "certificate_verify_failed"),
        "name the authority of the server's certificate: ssl[cafile]=FILE; it must have the host of the DSN",
    ),
    (
        ("wrong version number", "wrong_version_number", "record layer failure", "packet length too long"),
        "this port speaks no TLS: write redis:// instead of rediss://, or its TLS port",
    ),
    (
        ("connection closed by server", "connection reset"),
        "if this port speaks TLS, write rediss:// instead of redis://; else look at the server's log",
    ),
    (("ssl[",), "put that file there, readable for the user of the workers, or correct its name in the DSN"),
    (("connection refused",), "start Redis there, or correct host and port in the DSN"),
    (("no such file",), "start Redis there, or correct the socket's path in the DSN"),
    (("permission denied",), "add this user to the group of the socket"),
    (("name or service not known", "name resolution", "nodename"), "correct the host in the DSN, or its DNS entry"),
    (("timeout", "timed out", "no route", "unreachable"), "correct host and port in the DSN, or open the firewall"),
    (("no sentinel that answers",), "correct sentinel_master and the sentinels in the DSN"),
    (("loading",), "wait until Redis has read its data"),
)


def check_reach(connection: RedisConnection, options: RedisOptions) -> Finding:
    """Connect, log in, choose the database, and get one answer."""
    place = Place("redis-reach", options.address)
    try:
        connection.call("TIME")
    except RedisReplyError as error:
        if error.code != "NOPERM":
            return _failed(place, options, str(error))
    except TransportError as error:
        return _failed(place, options, str(error))
    return place.ok(f"answers ({_how(options)})")


def _failed(place: Place, options: RedisOptions, error: str) -> Finding:
    reason = error.removeprefix(f"{options.address}: ")
    change = advice_for(reason, _ADVICE).format(user=options.user or "default")
    if options.tls and "time" in reason.lower():  # Redis may wait for the rest of what it takes for a command
        change += "; if it speaks no TLS, write redis:// instead of rediss://"
    return place.fail(f"cannot be used ({_how(options)}): {reason}", change)


def _how(options: RedisOptions) -> str:
    """How it was tried; never the password."""
    tls = "with TLS" if options.tls else "without TLS"
    password = "with a password" if options.password else "without a password"
    return f"{tls}, as user {options.user or 'default'!r} {password}"
