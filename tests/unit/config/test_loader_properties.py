"""For any text: a DSN gives back what was put in, and a configuration loads or is explained in one line."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from messenger.config.dsn import parse_dsn
from messenger.config.loader import load_config
from messenger.errors import ConfigError
from messenger.redis.dsn import parse_redis_dsn
from messenger.transports.sql.options import parse_doctrine_dsn

# The examples are the same at each run.
short = settings(
    derandomize=True,
    max_examples=100,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
texts = st.text()
plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
words = st.sampled_from(["transports", "dsn", "options", "routing", "buses", "retry_strategy", "redis://h", "sync://"])
json_values = st.recursive(
    plain | words, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words | texts, inner, max_size=4)
)


def encoded(text: str) -> str:
    return quote(text, safe="")


def check(error: ConfigError) -> None:
    assert str(error).isprintable(), str(error)


@short
@given(user=texts, password=texts, path=texts, value=texts, port=st.integers(0, 65535))
def test_the_parts_of_a_dsn_come_back(user: str, password: str, path: str, value: str, port: int) -> None:
    text = f"redis://{encoded(user)}:{encoded(password)}@host:{port}/{encoded(path)}?x={encoded(value)}"
    dsn = parse_dsn("t", text)
    assert (dsn.user, dsn.password, dsn.host, dsn.port) == (user, password, "host", port)
    assert (dsn.path, dsn.query) == (f"/{path}", {"x": value})


@short
@given(password=texts, host=st.sampled_from(["h", "127.0.0.1", "[::1]"]))
def test_any_password_of_a_database_comes_back_and_is_not_shown(password: str, host: str) -> None:
    secret = f"s3cr3t{password}"
    url = f"postgresql://u:{encoded(secret)}@{host}/db"
    options = parse_doctrine_dsn("t", "doctrine://default", {}, {"default": url}, Path("state"))
    assert options.url.password == secret
    assert "s3cr3t" not in repr(options)


@short
@given(scheme=st.sampled_from(["redis://", "doctrine://", "postgresql://", "sqlite:///", ""]), rest=texts)
def test_any_dsn_is_read_or_explained(scheme: str, rest: str) -> None:
    text = scheme + rest
    for read in (
        lambda: parse_dsn("t", text),
        lambda: parse_redis_dsn("t", text, {}).address,
        lambda: parse_doctrine_dsn("t", text, {}, {}, Path("state")),
        lambda: parse_doctrine_dsn("t", "doctrine://default", {}, {"default": text}, Path("state")),
    ):
        try:
            read()
        except ConfigError as error:
            check(error)


@short
@given(text=texts | json_values.map(json.dumps) | json_values.map(lambda value: json.dumps({"messenger": value})))
def test_any_messenger_yaml_is_loaded_or_explained(tmp_path: Path, text: str) -> None:
    path = tmp_path / "messenger.yaml"
    path.write_text(text, encoding="utf-8")
    try:
        load_config(path, {})
    except ConfigError as error:
        check(error)


@pytest.mark.parametrize("name", ["password", "sslpassword"])
def test_a_password_in_the_query_is_not_shown(name: str) -> None:
    url = {"default": f"postgresql://u@h/db?{name}=s3cr3t"}
    assert "s3cr3t" not in repr(parse_doctrine_dsn("t", "doctrine://default", {}, url, Path("state")))
