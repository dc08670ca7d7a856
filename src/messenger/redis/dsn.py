"""Reads a Redis DSN and the `options` beside it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from functools import reduce
from itertools import pairwise
from typing import Any

from messenger.config.dsn import Dsn, not_a_dsn, parse_dsn, read_options
from messenger.errors import ConfigError
from messenger.redis.options import Place, RedisOptions

SCHEMES = ("redis", "rediss", "valkey", "valkeys")

# Also allowed, and put into other fields; persistent_id is phpredis' name for a connection that is kept.
_MORE: dict[str, Any] = {"redis_sentinel": None, "redis_cluster": False, "persistent_id": None}
_NOT_OPTIONS = ("sentinels", "nodes", "socket_path", "tls", "ssl", "user", "password")
_DEFAULTS = _MORE | {field.name: field.default for field in fields(RedisOptions) if field.name not in _NOT_OPTIONS}
_NODES = "redis://HOST:PORT,redis://HOST:PORT/{STREAM}"
_HOSTS = re.compile(r"[a-z]+://[^/?]*,[^/?@]*([/?]|$)")
_SSL_OPTIONS = {
    "verify_peer": "ssl_cert_reqs",
    "verify_peer_name": "ssl_check_hostname",
    "cafile": "ssl_ca_certs",
    "capath": "ssl_ca_path",
    "local_cert": "ssl_certfile",
    "local_pk": "ssl_keyfile",
    "passphrase": "ssl_password",
}


def parse_redis_dsn(transport: str, text: str, options: Mapping[str, Any] | None = None) -> RedisOptions:
    """Read the options of a DSN and of `options:` in messenger.yaml. Path beats query beats options beats defaults.

    Args:
        transport: Name of the transport, for errors.
        text: The DSN.
        options: The options of messenger.yaml.

    Raises:
        ConfigError: An option is unknown or its value is not allowed; the error lists what is.
    """
    texts = re.split(r",(?=[a-z]+://)", text)
    try:
        return _parse(transport, texts, options or {})
    except ConfigError:
        if any("@" in after and "@" not in before for before, after in pairwise(texts)):
            raise not_a_dsn(transport) from None  # perhaps a password that was cut in two
        raise


def _parse(transport: str, texts: Sequence[str], options: Mapping[str, Any]) -> RedisOptions:
    if any(_HOSTS.match(each) for each in texts):
        raise ConfigError(f"transports.{transport}.dsn: a list of hosts; allowed: a whole DSN for each node: {_NODES}")
    dsns = [parse_dsn(transport, each) for each in texts]
    for dsn in dsns:
        if dsn.scheme not in SCHEMES:
            raise ConfigError(f"transports.{transport}.dsn: scheme {dsn.scheme!r}; allowed: {', '.join(SCHEMES)}")
    dsn = reduce(_merge, dsns)
    query, sentinels, ssl_query = _split_query(transport, dsn.query)
    given = dict(options)
    ssl = {**_mapping(transport, "ssl", given.pop("ssl", None)), **ssl_query}
    auth = given.pop("auth", query.pop("auth", None))
    values = read_options(transport, _DEFAULTS, given, query, _from_path(transport, dsn))
    user, password = _credentials(transport, dsn, auth)
    values["sentinel_master"] = _sentinel_master(transport, values, sentinels)
    values.pop("redis_sentinel")
    nodes = _nodes(transport, dsns, values)
    values.pop("persistent_id")  # phpredis keeps a connection per name; a worker here keeps its own anyway
    _check(transport, values)
    return RedisOptions(
        **values,
        sentinels=sentinels,
        nodes=nodes,
        socket_path=_socket_path(dsn),
        tls=dsn.scheme.endswith("ss") or dsn.scheme == "valkeys",
        ssl=_ssl_arguments(transport, ssl),
        user=user,
        password=password,
    )


def _merge(one: Dsn, next_one: Dsn) -> Dsn:
    """Of several DSNs the last one that says a thing wins."""
    path = next_one.path if next_one.path.strip("/") else one.path
    login = next_one if next_one.user is not None else one
    query = {**one.query, **next_one.query}
    return replace(next_one, path=path, query=query, user=login.user, password=login.password)


def _nodes(transport: str, dsns: Sequence[Dsn], values: dict[str, Any]) -> tuple[Place, ...]:
    """The nodes of a cluster, which a list of DSNs is, and one server with `redis_cluster`."""
    if not values.pop("redis_cluster") and len(dsns) == 1:
        return ()
    allowed = f"allowed: {_NODES} with one scheme and without sentinels"
    if len({dsn.scheme for dsn in dsns}) > 1 or any(_socket_path(dsn) for dsn in dsns) or values["sentinel_master"]:
        raise ConfigError(f"transports.{transport}.dsn: not the nodes of a Redis Cluster; {allowed}")
    if values["dbindex"]:
        raise ConfigError(f"transports.{transport}: option dbindex: a Redis Cluster has one database only; allowed: 0")
    if len(dsns) == 1:
        return ((values["host"], values["port"]),)
    return tuple((dsn.host or _DEFAULTS["host"], dsn.port or _DEFAULTS["port"]) for dsn in dsns)


def _split_query(transport: str, query: Mapping[str, str]) -> tuple[dict[str, Any], tuple[Place, ...], dict[str, str]]:
    """PHP's bracket keys: ``host[h:p]`` is a sentinel, ``ssl[cafile]`` a TLS option."""
    plain: dict[str, Any] = {}
    sentinels: list[Place] = []
    ssl: dict[str, str] = {}
    for key, value in query.items():
        if key.startswith("host[") and key.endswith("]"):
            host, _, port = key[5:-1].rpartition(":")
            if not host or not port.isdigit():
                raise ConfigError(f"transports.{transport}.dsn: sentinel {key[5:-1]!r}; allowed: host[NAME:PORT]")
            sentinels.append((host, int(port)))
        elif key.startswith("ssl[") and key.endswith("]"):
            ssl[key[4:-1]] = value
        else:
            plain[key] = value
    return plain, tuple(sentinels), ssl


def _socket_path(dsn: Dsn) -> str | None:
    return dsn.path if not dsn.host and dsn.path.strip("/") else None


def _from_path(transport: str, dsn: Dsn) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if dsn.host:
        found["host"] = dsn.host
    if dsn.port is not None:
        found["port"] = dsn.port
    if _socket_path(dsn) is None:
        parts = dsn.path.strip("/").split("/") if dsn.path.strip("/") else []
        if len(parts) > 3:
            raise ConfigError(
                f"transports.{transport}.dsn: found {len(parts)} parts in the path; allowed: /stream/group/consumer"
            )
        found.update(zip(("stream", "group", "consumer"), parts, strict=False))
    return found


def _credentials(transport: str, dsn: Dsn, auth: Any) -> tuple[str | None, str | None]:
    """User and password. One part without a colon is the password; the user `default` is the same as none."""
    user, password = dsn.user, dsn.password
    if isinstance(auth, list | tuple) and len(auth) == 2:
        user, password = str(auth[0]), str(auth[1])
    elif isinstance(auth, str):
        user, password = None, auth
    elif auth is not None:
        raise ConfigError(f"transports.{transport}: option auth; allowed: a password, or [user, password]")
    if user and not password:
        user, password = None, user
    return (None if user in (None, "", "default") else user), password or None


def _sentinel_master(transport: str, values: Mapping[str, Any], sentinels: tuple[Place, ...]) -> str | None:
    if values["sentinel_master"] and values["redis_sentinel"]:
        raise ConfigError(f"transports.{transport}: sentinel_master and redis_sentinel are the same; give one of them")
    master = values["sentinel_master"] or values["redis_sentinel"]
    if bool(master) != bool(sentinels):
        raise ConfigError(
            f"transports.{transport}.dsn: sentinels and sentinel_master belong together; "
            "allowed: redis:?host[NAME:PORT]&host[NAME:PORT]&sentinel_master=NAME"
        )
    return str(master) if master else None


def _check(transport: str, values: Mapping[str, Any]) -> None:
    for name in ("stream", "group", "consumer"):
        if values[name] == "":
            raise ConfigError(f"transports.{transport}: option {name} is empty; allowed: a name")
    if values["serializer"] not in (0, 1):
        raise ConfigError(
            f"transports.{transport}: option serializer: found {values['serializer']}; allowed: 0 (bare JSON) or "
            "1 (phpredis' own default); igbinary, msgpack and JSON wrapping (2, 3, 4) must be changed on the PHP side"
        )
    if values["stream_full"] not in ("refuse", "block"):
        raise ConfigError(
            f"transports.{transport}: option stream_full: found {values['stream_full']!r}; allowed: refuse, or block "
            "(waits for room, stream_full_timeout seconds at most)"
        )
    longest = values["read_timeout"] or math.inf
    patience = values["wait_replicas_timeout"]
    if values["wait_replicas"] and not 0 < patience < longest:
        raise ConfigError(
            f"transports.{transport}: option wait_replicas_timeout: found {patience:g}; allowed: seconds, more than 0 "
            f"and less than read_timeout ({values['read_timeout']:g}; 0: no limit)"
        )
    if values["redeliver_timeout"] < 1:
        raise ConfigError(f"transports.{transport}: option redeliver_timeout: found 0; allowed: seconds, at least 1")


def _mapping(transport: str, name: str, value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ConfigError(f"transports.{transport}: option {name}; allowed: a map of {', '.join(_SSL_OPTIONS)}")
    return dict(value)


def _ssl_arguments(transport: str, ssl: Mapping[str, Any]) -> dict[str, Any]:
    """PHP's stream-context names as redis-py's arguments."""
    arguments: dict[str, Any] = {}
    for name, value in ssl.items():
        target = _SSL_OPTIONS.get(name)
        if target is None:
            allowed = ", ".join(_SSL_OPTIONS)
            raise ConfigError(f"transports.{transport}: unknown option ssl[{name!r}]; allowed: {allowed}")
        if name.startswith("verify_"):
            value = read_options(transport, {name: True}, {name: value})[name]
        arguments[target] = ("required" if value else "none") if name == "verify_peer" else value
    if arguments.get("ssl_cert_reqs") == "none":
        arguments["ssl_check_hostname"] = False
    return arguments
