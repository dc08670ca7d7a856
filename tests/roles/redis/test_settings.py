"""What the role redis refuses of an inventory, and what it records of it on the host."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tests.support.modules import PLUGINS, load

filters = load(PLUGINS / "filter/redis_settings.py")

LONG = "correct-horse-battery!"
GIVEN: dict[str, Any] = {
    "host": "r1",
    "hosts": ["r1", "r2", "r3"],
    "application": "sms",
    "bind": ["127.0.0.1", "-::1"],
    "port": "6379",  # -e and INI inventories give text
    "tls_port": 0,
    "tls_certificate": "",
    "tls_key": "",
    "tls_ca": "",
    "tls_names": ["r1", "10.0.0.1"],
    "password": "",
    "users": [],
    "replica_of": "",
    "first_address": "",
    "sentinel_name": "",
    "sentinel_quorum": 2,
    "replication_password": "",
    "appendfsync": "everysec",
    "maxmemory": "",
}
SET: dict[str, Any] = {
    "bind": ["10.0.0.1"],
    "password": LONG,
    "replica_of": "r2",
    "replication_password": "by-which-they-know-each-other",
}
SENTINEL = SET | {"sentinel_name": "main"}
GIVEN_CERTIFICATE = {"tls_port": 6380, "tls_certificate": "-----BEGIN …", "tls_key": "-----BEGIN …"}
SHOP: dict[str, Any] = {
    "application": "shop",
    "users": ["shop"],
    "keys": ["orders"],
    "settings": {"redis_bind": "127.0.0.1 -::1", "redis_port": 6379, "redis_password": "0" * 64},
}


def user(name: str = "sms", **more: Any) -> dict[str, Any]:
    return {"name": name, "rights": "application", **more}


def problems(*others: dict[str, Any], replace: bool = False, **given: Any) -> list[str]:
    found: list[str] = filters.problems(GIVEN | given, others, replace=replace)
    return found


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"bind": ["0.0.0.0"], "password": LONG},
        {"port": 0, "tls_port": 6379},
        GIVEN_CERTIFICATE,
        {"users": [user(password=LONG + "Ümläut 'and' \\more"), user("web")], "password": LONG},
        {"users": [user(streams=["a:{b}.c-1", "[d]"], application="x")], "password": LONG},
        SET,
        SENTINEL,
        SET | GIVEN_CERTIFICATE | {"tls_ca": "-----BEGIN …"},
    ],
)
def test_what_is_fit(given: dict[str, Any]) -> None:
    assert problems(**given) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"application": "../x"}, "redis_application is ../x; it is a name of"),
        ({"application": "sms\n"}, "it is a name of"),
        ({"bind": []}, "redis_bind is empty, which would make Redis listen everywhere"),
        ({"port": 0}, "redis_port and redis_tls_port are both 0. Redis needs one port at least"),
        ({"tls_certificate": "-----BEGIN …"}, "redis_tls_certificate and redis_tls_key belong together"),
        (GIVEN_CERTIFICATE | {"tls_ca": "ca.pem"}, "the text of PEM files (-----BEGIN …), not their names"),
        ({"bind": ["127.0.0.1", "10.0.0.1"], "password": "short"}, "beyond loopback, with a password shorter than 16"),
        ({"password": "with a space in it"}, "contains a space, a quote, a backslash or a character beyond ASCII"),
        ({"password": LONG + "\\"}, "contains a space, a quote, a backslash"),
        ({"password": "replace-this-example-password"}, "from inventory/example, which everyone can read"),
        ({"users": [user(second_password="replace-this-example-password")]}, "from inventory/example"),
        ({"users": [user(password="x")]}, "is shorter than 16 characters or has a control character"),
        ({"users": [user(password=LONG + "\n")]}, "has a control character such as a line break"),
        ({"users": [user("default")]}, "none is `default`, which is the administrator"),
        ({"users": [user("a"), user("a")]}, "each is there once"),
        ({"users": [user("1a")]}, "names begin with a letter"),
        ({"users": [user(streams=["*"])]}, "streams and applications: *, messenger."),
        ({"users": [user(application="a b")]}, "streams and applications: messages, a b."),
        (SET | {"replica_of": "elsewhere"}, "redis_replica_of (elsewhere) must be a host of group redis"),
        (SET | {"bind": ["127.0.0.1"]}, "redis_bind must have an address that the others reach"),
        (SET | {"replication_password": "short"}, "redis_replication_password has 16 or more letters"),
        (SET | GIVEN_CERTIFICATE, "redis_tls_certificate needs redis_tls_ca, by which they know each other"),
        (SENTINEL | {"replica_of": ""}, "Sentinel (redis_sentinel_name) needs that"),
        (SENTINEL | {"hosts": ["r1", "r2"]}, "and three hosts in the group"),
        (SENTINEL | {"sentinel_quorum": "4"}, "of which redis_sentinel_quorum are enough"),
        (SENTINEL | {"sentinel_name": "a b"}, "cannot have replicas like this"),
    ],
)
def test_what_is_refused(given: dict[str, Any], said: str) -> None:
    (problem,) = problems(**given)
    assert said in problem
    assert LONG not in problem


def test_everything_is_said_at_once() -> None:
    assert len(problems(bind=[], port=0, application="X")) == 3


def test_a_user_of_another_application_is_refused_in_any_case() -> None:
    (problem,) = problems(SHOP, users=[user("shop")], replace=True)
    assert "these users of Redis are those of another application: shop (shop)." in problem


def test_other_applications_must_agree() -> None:
    (problem,) = problems(SHOP, bind=["127.0.0.1"], password=LONG)
    assert "redis_bind of shop is 127.0.0.1 -::1, this one has 127.0.0.1; redis_password of shop is another" in problem
    assert problems(SHOP, bind=["127.0.0.1"], password=LONG, replace=True) == []


def test_a_setting_that_the_other_did_not_record_is_no_difference() -> None:
    assert problems(SHOP | {"settings": {"redis_bind": "127.0.0.1 -::1", "redis_port": "6379"}}) == []


def test_what_is_recorded() -> None:
    users = [user(streams=["messages", "failed"], application="sms"), user("web", application="sms")]
    found = filters.needs(GIVEN | {"users": users, "password": LONG, "tls_port": "6380"})
    assert found["application"] == "sms"
    assert found["users"] == ["sms", "web"]
    assert found["keys"] == ["messages", "failed", "sms"]
    assert found["settings"] == {
        "redis_bind": "127.0.0.1 -::1",
        "redis_port": 6379,
        "redis_tls_port": 6380,
        "redis_tls_names": "10.0.0.1 r1",
        "redis_tls_certificate": "",
        "redis_appendfsync": "everysec",
        "redis_maxmemory": "",
        "redis_replica_of": "",
        "redis_sentinel_name": "",
        "redis_password": hashlib.sha256(LONG.encode()).hexdigest(),
        "redis_replication_password": "",
    }


def test_no_password_is_recorded() -> None:
    found = filters.needs(GIVEN | SENTINEL | GIVEN_CERTIFICATE | {"users": [user(password=LONG)]})
    assert not [secret for secret in (LONG, SET["replication_password"], "BEGIN") if secret in str(found)]


def test_without_users_the_names_of_its_keys_are_unknown() -> None:
    assert filters.needs(GIVEN)["keys"] == []


@pytest.mark.parametrize(
    ("bind", "loopback"),
    [
        (["127.0.0.1", "-::1"], True),
        (["127.0.0.2", "localhost"], True),
        (["127.0.0.1", "10.0.0.1"], False),
        (["-10.0.0.1"], False),
        (["0.0.0.0"], False),
        (["*"], False),
        (["::"], False),
        ([], False),
    ],
)
def test_what_counts_as_loopback(bind: list[str], loopback: bool) -> None:
    assert filters.is_loopback(bind) is loopback


def test_how_servers_reach_each_other() -> None:
    hostvars = {"a": {"redis_address": "r.example", "ansible_host": "10.0.0.1"}, "b": {"ansible_host": "10.0.0.2"}}
    assert filters.addresses(["a", "b", "c"], hostvars | {"c": {}}) == ["r.example", "10.0.0.2", "c"]
