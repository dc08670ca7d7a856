"""What a Redis DSN and its options say: every form of Symfony's documentation and of our own."""

from __future__ import annotations

from typing import Any

import pytest

from messenger import ConfigError
from messenger.redis.dsn import parse_redis_dsn
from messenger.redis.options import RedisOptions

SECRET = "s3cr3t"
FULL = (
    "redis://password@localhost:6379/messages/symfony/consumer"
    "?auto_setup=true&serializer=1&stream_max_entries=0&dbindex=0"
)


def given(options: RedisOptions, names: str) -> dict[str, Any]:
    return {name: getattr(options, name) for name in names.split()}


@pytest.mark.parametrize(
    ("dsn", "expected"),
    [
        ("redis://localhost", {"host": "localhost", "port": 6379, "stream": "messages", "group": "symfony"}),
        ("redis://localhost:6379/messages", {"host": "localhost", "stream": "messages", "consumer": None}),
        ("redis://localhost:6379/messages/", {"stream": "messages", "group": "symfony"}),
        ("redis://h/a/b/c", {"stream": "a", "group": "b", "consumer": "c"}),
        ("redis://h/a%2Fb", {"stream": "a", "group": "b"}),
        (FULL, {"user": None, "password": "password", "host": "localhost", "port": 6379}),
        (FULL, {"stream": "messages", "group": "symfony", "consumer": "consumer"}),
        (FULL, {"auto_setup": True, "serializer": 1, "stream_max_entries": 0, "dbindex": 0}),
        ("redis://user:p%40ss%2F@h", {"user": "user", "password": "p@ss/"}),
        ("redis://:pw@h", {"user": None, "password": "pw"}),
        ("redis://user:@h", {"user": None, "password": "user"}),
        ("redis://default:pw@h", {"user": None, "password": "pw"}),
        ("redis://h?auth=pw", {"user": None, "password": "pw"}),
        ("redis://other@h?auth=pw", {"user": None, "password": "pw"}),
        ("redis:///var/run/redis.sock", {"socket_path": "/var/run/redis.sock", "stream": "messages"}),
        ("redis:///var/run/redis.sock?stream=a&dbindex=3", {"stream": "a", "dbindex": 3}),
        ("redis://u:pw@/var/run/redis.sock", {"socket_path": "/var/run/redis.sock", "user": "u", "password": "pw"}),
        ("rediss://h", {"tls": True, "port": 6379}),
        ("redis://h", {"tls": False}),
        ("valkeys://h", {"tls": True}),
        ("valkey://h/s", {"tls": False, "stream": "s"}),
        ("redis://[::1]:6380/s", {"host": "::1", "port": 6380}),
        ("redis://", {"host": "127.0.0.1", "port": 6379}),
        ("redis://h?delete_after_ack=false&delete_after_reject=off", {"delete_after_ack": False}),
        ("redis://h?delete_after_ack=0&delete_after_reject=no", {"delete_after_reject": False}),
        ("redis://h?auto_setup=no&lazy=yes", {"auto_setup": False, "lazy": True}),
        ("redis://h?redeliver_timeout=5&claim_interval=100", {"redeliver_timeout": 5, "claim_interval": 100}),
        ("redis://h?timeout=1.5&read_timeout=0&retry_interval=10", {"timeout": 1.5, "read_timeout": 0.0}),
        ("redis://h?persistent_id=x", {"host": "h"}),
        ("redis://h?host=other&stream=q&group=g&consumer=c", {"host": "h", "stream": "q", "group": "g"}),
        ("rediss://h?ssl[verify_peer]=0", {"ssl": {"ssl_cert_reqs": "none", "ssl_check_hostname": False}}),
        ("rediss://h?ssl[cafile]=/ca.pem", {"ssl": {"ssl_ca_certs": "/ca.pem"}}),
        (
            "redis:?host[h1:26379]&host[h2:26380]&sentinel_master=main",
            {"sentinels": (("h1", 26379), ("h2", 26380)), "sentinel_master": "main"},
        ),
        ("redis:?host[h1:26379]&redis_sentinel=main&stream=q", {"sentinel_master": "main", "stream": "q"}),
        ("redis://h", {"nodes": ()}),
        ("redis://h:7000/{s}?redis_cluster=1", {"nodes": (("h", 7000),), "stream": "{s}"}),
        ("redis://h/%7Bs%7D?redis_cluster=false", {"nodes": (), "stream": "{s}"}),
        ("redis://a:7000,redis://b,redis://[::1]:7002/{s}/g", {"nodes": (("a", 7000), ("b", 6379), ("::1", 7002))}),
        ("redis://u:pw@a/{s}/g,redis://b", {"user": "u", "password": "pw", "stream": "{s}", "group": "g"}),
        ("redis://u:pw@a/{s},redis://v:qw@b/{t}", {"user": "v", "password": "qw", "stream": "{t}"}),
        (
            "rediss://a?timeout=1&read_timeout=1,rediss://b?timeout=2",
            {"tls": True, "timeout": 2.0, "read_timeout": 1.0},
        ),
        ("rediss://a?ssl[cafile]=/x,y.pem,rediss://b/{s}", {"ssl": {"ssl_ca_certs": "/x,y.pem"}, "stream": "{s}"}),
        ("redis://p,w@a/{s},redis://b", {"password": "p,w", "nodes": (("a", 6379), ("b", 6379))}),
        ("redis://h/a,b?consumer=c,d", {"stream": "a,b", "consumer": "c,d"}),
        ("redis://pw@?host[h1:26379]&sentinel_master=main", {"password": "pw", "sentinel_master": "main"}),
    ],
)
def test_what_a_dsn_says(dsn: str, expected: dict[str, Any]) -> None:
    assert given(parse_redis_dsn("async", dsn), " ".join(expected)) == expected


def test_the_defaults() -> None:
    options = parse_redis_dsn("async", "redis://h")
    assert options.delete_after_ack
    assert options.delete_after_reject
    assert options.auto_setup
    assert options.serializer == 0
    assert options.consumer is None, "a name of its own for every process"
    assert options.redeliver_timeout == 60
    assert (options.stream_max_entries, options.max_message_bytes, options.dbindex) == (0, 0, 0)


def test_path_beats_query_beats_options_beats_defaults() -> None:
    more = {"stream": "o", "group": "o", "consumer": "o", "dbindex": 4}
    options = parse_redis_dsn("async", "redis://h/path?stream=q&group=q", more)
    assert (options.stream, options.group, options.consumer, options.dbindex) == ("path", "q", "o", 4)


@pytest.mark.parametrize(
    ("more", "user", "password"),
    [({"auth": "pw"}, None, "pw"), ({"auth": ["u", "pw"]}, "u", "pw"), ({"auth": ["default", "pw"]}, None, "pw")],
)
def test_auth_beats_the_dsn(more: dict[str, Any], user: str | None, password: str) -> None:
    options = parse_redis_dsn("async", "redis://a:b@h", more)
    assert (options.user, options.password) == (user, password)


def test_tls_options_of_the_file_are_those_of_php() -> None:
    ssl = {"cafile": "/ca", "local_cert": "/c", "local_pk": "/k", "passphrase": SECRET, "verify_peer_name": False}
    options = parse_redis_dsn("async", "rediss://h", {"ssl": ssl})
    assert options.ssl == {
        "ssl_ca_certs": "/ca",
        "ssl_certfile": "/c",
        "ssl_keyfile": "/k",
        "ssl_password": SECRET,
        "ssl_check_hostname": False,
    }


ALLOWED_NAMES = (
    "allowed: auto_setup, claim_interval, consumer, dbindex, delete_after_ack, delete_after_reject, group, host, lazy, "
)


@pytest.mark.parametrize(
    ("dsn", "more", "found", "allowed"),
    [
        ("redis://h?strem=x", {}, "unknown option 'strem'", ALLOWED_NAMES),
        ("redis://h", {"delete_after_akc": True}, "unknown option 'delete_after_akc'", ALLOWED_NAMES),
        ("redis://h?dbindex=x", {}, "option dbindex: found 'x'", "a number like 0"),
        ("redis://h?dbindex=-1", {}, "option dbindex: found '-1'", "at least 0"),
        ("redis://h?auto_setup=maybe", {}, "option auto_setup: found 'maybe'", "true or false"),
        ("redis://h?timeout=soon", {}, "option timeout: found 'soon'", "a number like 5.0"),
        ("redis://h?redeliver_timeout=0", {}, "option redeliver_timeout: found 0", "seconds, at least 1"),
        ("redis://h?serializer=2", {}, "option serializer: found 2", "0 (bare JSON) or 1"),
        ("redis://h?serializer=3", {}, "option serializer: found 3", "on the PHP side"),
        ("redis://h?serializer=4", {}, "option serializer: found 4", "0 (bare JSON) or 1"),
        ("redis://h?stream=", {}, "option stream is empty", "a name"),
        ("redis://h?group=", {}, "option group is empty", "a name"),
        ("redis://h?consumer=", {}, "option consumer is empty", "a name"),
        ("redis://h/a/b/c/d", {}, "found 4 parts in the path", "/stream/group/consumer"),
        ("redis:?host[h]&sentinel_master=m", {}, "sentinel 'h'", "host[NAME:PORT]"),
        ("redis:?host[h:x]&sentinel_master=m", {}, "sentinel 'h:x'", "host[NAME:PORT]"),
        ("redis:?host[h:26379]", {}, "sentinels and sentinel_master belong together", "sentinel_master=NAME"),
        ("redis://h?sentinel_master=m", {}, "sentinels and sentinel_master belong together", "sentinel_master=NAME"),
        ("redis:?host[h:1]&sentinel_master=m&redis_sentinel=m", {}, "are the same", "give one of them"),
        ("redis://h:1,rediss://h:2", {}, "not the nodes of a Redis Cluster", "with one scheme"),
        ("redis://h:1,redis:///r.sock", {}, "not the nodes of a Redis Cluster", "redis://HOST:PORT,redis://HOST:PORT"),
        ("redis:///r.sock?redis_cluster=1", {}, "not the nodes of a Redis Cluster", "redis://HOST:PORT/{STREAM} with"),
        ("redis:?host[h:1]&sentinel_master=m&redis_cluster=1", {}, "not the nodes of", "without sentinels"),
        ("redis://h:1,redis://h:2/s?dbindex=3", {}, "option dbindex", "one database only; allowed: 0"),
        ("redis://h", {"redis_cluster": True, "dbindex": 1}, "option dbindex", "allowed: 0"),
        ("redis://h:1,i:2/s", {}, "a list of hosts", "redis://HOST:PORT,redis://HOST:PORT/{STREAM}"),
        ("redis://h,i", {}, "a list of hosts", "a whole DSN for each node"),
        ("redis://h:1,http://h:2", {}, "scheme 'http'", "redis, rediss, valkey, valkeys"),
        ("redis://h:1,redis://h:0x1", {}, "not a DSN", "port"),
        ("redis://h?redis_cluster=perhaps", {}, "option redis_cluster: found 'perhaps'", "true or false"),
        ("rediss://h?ssl[cafil]=x", {}, "unknown option ssl['cafil']", "cafile"),
        ("rediss://h?ssl[verify_peer]=perhaps", {}, "option verify_peer: found 'perhaps'", "true or false"),
        ("rediss://h", {"ssl": "yes"}, "option ssl", "a map of verify_peer"),
        ("redis://h", {"auth": {"user": SECRET}}, "option auth", "a password, or [user, password]"),
        ("redis://h", {"auth": [SECRET]}, "option auth", "a password, or [user, password]"),
        ("http://h", {}, "scheme 'http'", "redis, rediss, valkey, valkeys"),
        ("redis://h:0x1", {}, "not a DSN", "port"),
    ],
)
def test_a_mistake_is_one_line_with_what_is_allowed(dsn: str, more: dict[str, Any], found: str, allowed: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_redis_dsn("async", dsn.replace("//h", f"//u:{SECRET}@h", 1), more)
    text = str(caught.value)
    assert text.startswith("transports.async")
    assert found in text
    assert allowed in text
    assert "\n" not in text
    assert SECRET not in text


@pytest.mark.parametrize(
    "dsn",
    [
        f"redis://{SECRET}@h/s",
        f"redis://u:{SECRET}@h/s",
        f"redis://u:{SECRET}@/run/r.sock",
        f"redis://u:{SECRET}@?host[h:1]&sentinel_master=m",
        f"redis://h?auth={SECRET}",
        f"redis://u:{SECRET}@a,redis://b/s",
        f"rediss://h?ssl[passphrase]={SECRET}",
    ],
)
def test_the_address_says_where_and_never_the_password(dsn: str) -> None:
    options = parse_redis_dsn("async", dsn)
    assert SECRET not in options.address
    assert SECRET not in repr(options)
    assert "redis" in options.address


@pytest.mark.parametrize(
    "text",
    [
        f"redis:/?:{SECRET}x,redis://:@h",
        f"redis:/?timeout={SECRET},redis://x@h",
        f"redis:/a/b/c/{SECRET},redis://x@h",
        f"redis:/?ssl[{SECRET}]=,redis://x@h",
        f"redis:/?host[{SECRET}],redis://x@h",
    ],
)
def test_a_password_that_looks_like_a_list_of_nodes_is_not_shown(text: str) -> None:
    with pytest.raises(ConfigError, match="not a DSN; allowed") as caught:
        parse_redis_dsn("async", text)
    assert SECRET not in str(caught.value)


def test_the_address_is_one_line_whatever_the_user_is_called() -> None:
    assert parse_redis_dsn("async", "redis://h", {"auth": ["two\nlines", SECRET]}).address.isprintable()


def test_the_address_names_what_matters_for_connecting() -> None:
    address = parse_redis_dsn("async", f"rediss://ann:{SECRET}@h:7000?dbindex=3").address
    assert address == "redis at h:7000 (db 3, TLS, user ann)"
    nodes = parse_redis_dsn("async", f"rediss://ann:{SECRET}@a:7000,rediss://b:7001").address
    assert nodes == "redis cluster at a:7000, b:7001 (db 0, TLS, user ann)"
    assert parse_redis_dsn("async", "redis:///r.sock").address == "redis at /r.sock (db 0)"
