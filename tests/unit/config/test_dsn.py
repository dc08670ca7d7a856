"""Transport DSNs and their typed options."""

from __future__ import annotations

from typing import Any

import pytest

from messenger import ConfigError
from messenger.config.dsn import Dsn, parse_dsn, read_options

SECRET = "s3cr3t"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("redis://localhost", Dsn("redis", "localhost", None, "", {})),
        ("redis://localhost:6380/a/b?x=1&y=", Dsn("redis", "localhost", 6380, "/a/b", {"x": "1", "y": ""})),
        ("redis://pw@h", Dsn("redis", "h", None, "", {}, "pw", None)),
        ("redis://u:pw@h", Dsn("redis", "h", None, "", {}, "u", "pw")),
        ("redis://:pw@h", Dsn("redis", "h", None, "", {}, "", "pw")),
        ("redis://u%40x:p%3A%2F%3F%23%5B%40%25@h/%C3%A4", Dsn("redis", "h", None, "/ä", {}, "u@x", "p:/?#[@%")),
        ("redis://u:p@ss@h", Dsn("redis", "h", None, "", {}, "u", "p@ss")),
        ("redis:///var/run/redis.sock?dbindex=2", Dsn("redis", "", None, "/var/run/redis.sock", {"dbindex": "2"})),
        ("redis://u:p@/run/r.sock", Dsn("redis", "", None, "/run/r.sock", {}, "u", "p")),
        ("redis://[::1]:6379/a", Dsn("redis", "::1", 6379, "/a", {})),
        ("redis:?host[a:1]&host[b:2]", Dsn("redis", "", None, "", {"host[a:1]": "", "host[b:2]": ""})),
        ("doctrine://default?queue_name=failed", Dsn("doctrine", "default", None, "", {"queue_name": "failed"})),
        ("in-memory://", Dsn("in-memory", "", None, "", {})),
        ("redis://h?a=%20b+c", Dsn("redis", "h", None, "", {"a": " b c"})),
    ],
)
def test_its_parts(text: str, expected: Dsn) -> None:
    assert parse_dsn("async", text) == expected


@pytest.mark.parametrize(
    "text",
    [
        f"redis://user:{SECRET}/x@host:6379/messages",
        f"redis://user:{SECRET}?x@host:6379/messages",
        f"redis://user:{SECRET}#x@host:6379/messages",
        f"redis://{SECRET}/x@host:6379/messages",
        f"redis://{SECRET}?x@host:6379/messages",
        f"redis://{SECRET}#x@host:6379/messages",
        f"redis://{SECRET}#host",
        f"redis://u:p@{SECRET}/x@host:6379/messages",
        f"redis://user:{SECRET}[@host:6379/messages",
        f"redis://user:{SECRET}]@host:6379/messages",
        f"redis://user:{SECRET}\u2100@host:6379/messages",
        f"redis://user:1{SECRET}/@host",
        f"redis://user:123/{SECRET}@host",
        f"redis://user@host:{SECRET}",
        f"redis://user@host:99999{SECRET}",
        f"redis://{SECRET}[::1]@host",
        f"redis://user:{SECRET}\udc80@host",
        f"{SECRET}@localhost/messages",
        f"//{SECRET}@localhost/messages",
        SECRET,
        "",
    ],
)
def test_a_password_that_is_not_encoded_is_an_error_that_does_not_show_it(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_dsn("async", text)
    error: BaseException | None = caught.value
    assert str(error).startswith("transports.async.dsn: ")
    while error is not None:  # not in what a traceback would print either
        assert SECRET not in str(error)
        error = None if error.__suppress_context__ else error.__cause__ or error.__context__


@pytest.mark.parametrize("text", ["redis://h:99999", "redis://h:x", "redis://h:-1"])
def test_a_bad_port_says_what_a_dsn_looks_like(text: str) -> None:
    with pytest.raises(ConfigError, match=r"transports.async.dsn: .*scheme://user:password@host:port/path"):
        parse_dsn("async", text)


def test_a_dsn_never_shows_its_password() -> None:
    assert SECRET not in repr(parse_dsn("async", f"redis://u:{SECRET}@h"))


DEFAULTS: dict[str, Any] = {"text": "x", "number": 1, "float": 1.5, "flag": True, "none": None}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"number": "7"}, 7),
        ({"number": 7}, 7),
        ({"float": "2"}, 2.0),
        ({"float": 0.25}, 0.25),
        ({"text": 5}, "5"),
        ({"none": "name"}, "name"),
        ({"none": None}, None),
        *(({"flag": word}, True) for word in ("1", "true", "on", "yes", "TRUE", True, 1)),
        *(({"flag": word}, False) for word in ("0", "false", "off", "no", "", "False", False, 0)),
    ],
)
def test_an_option_has_the_type_of_its_default(given: dict[str, Any], expected: object) -> None:
    (name,) = given
    value = read_options("async", DEFAULTS, given)[name]
    assert value == expected
    assert type(value) is type(expected)


def test_later_sources_win() -> None:
    values = read_options("async", DEFAULTS, {"number": 1, "text": "a"}, {"number": "2"}, {"number": 3})
    assert (values["number"], values["text"], values["flag"]) == (3, "a", True)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"nmber": 1}, "transports.async: unknown option 'nmber'; allowed: flag, float, none, number, text"),
        ({"number": "many"}, "transports.async: option number: found 'many'; allowed: a number like 1"),
        ({"number": "1.5"}, "transports.async: option number: found '1.5'; allowed: a number like 1"),
        ({"number": True}, "transports.async: option number: found 'True'; allowed: a number like 1"),
        ({"number": -1}, "transports.async: option number: found '-1'; allowed: a number of at least 0"),
        ({"float": "nan"}, "transports.async: option float: found 'nan'; allowed: a number of at least 0"),
        ({"float": "inf"}, "transports.async: option float: found 'inf'; allowed: a number of at least 0"),
        ({"flag": "maybe"}, "transports.async: option flag: found 'maybe'; allowed: true or false"),
        ({"flag": 2}, "transports.async: option flag: found '2'; allowed: true or false"),
    ],
)
def test_an_unknown_or_bad_option_lists_what_is_allowed(given: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_options("async", DEFAULTS, given)
    assert str(caught.value) == text


def test_an_option_the_caller_reads_itself_is_let_through() -> None:
    assert read_options("async", DEFAULTS, {"more": object}, also=("more",))["more"] is object
