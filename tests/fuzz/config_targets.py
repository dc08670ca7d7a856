"""Fuzz targets of the configuration: nothing but ConfigError, in one line, without a secret."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

from messenger.checks.supervisor_conf import ConfUnreadable, read_programs
from messenger.config.dsn import parse_dsn
from messenger.config.environment import read_environment
from messenger.config.loader import load_config
from messenger.errors import ConfigError
from messenger.messages import MessageRegistry
from messenger.redis.dsn import parse_redis_dsn
from messenger.transports import memory, sync
from messenger.transports.base import TransportContext
from messenger.transports.sql.options import SqlOptions, parse_doctrine_dsn
from messenger.wire.serializer import Serializer

SECRET = "s3cr3t-p4ssw0rd-0f-7h3-734m"
ENVIRON = {"SECRET": SECRET, "DSN": f"redis://user:{SECRET}@host:6379/stream", "NAME": "async"}


def check_dsn(data: bytes) -> None:
    """Any DSN, by the transports that need no server."""
    dsn, options = _dsn_and_options(data)
    context = TransportContext(Serializer(MessageRegistry()), lambda envelope: envelope, Path("state"), "worker")
    _expect_config_error(lambda: parse_dsn("t", dsn))
    _expect_config_error(lambda: memory.create("t", dsn, options, context))
    _expect_config_error(lambda: sync.create("t", dsn, options, context))


def check_redis(data: bytes) -> None:
    """A Redis DSN and its options."""
    dsn, options = _dsn_and_options(data)
    for given in (options, options | {"auth": SECRET}, options | {"ssl": {"passphrase": SECRET}}):
        _expect_config_error(lambda given=given: _address(dsn, given))  # type: ignore[misc]


def _address(dsn: str, options: dict[str, Any]) -> str:
    """Where it is, by the parsed options. The name of a user or a node may be shown, also when it is the secret."""
    address = parse_redis_dsn("t", dsn, options).address
    _check_line(address)
    for node in re.split(",(?=[a-z]+://)", dsn):
        user, _, password = urlsplit(node).netloc.rpartition("@")[0].partition(":")
        if SECRET in node and (SECRET in user and password or "@" not in node.partition(SECRET)[2]):
            return ""
    return address


def check_doctrine(data: bytes) -> None:
    """A doctrine DSN, its options and, with the same text, a database URL."""
    dsn, options = _dsn_and_options(data)
    _expect_config_error(lambda: _shown(parse_doctrine_dsn("t", dsn, options, {}, Path("state"))))
    simple = "doctrine://default"
    _expect_config_error(lambda: _shown(parse_doctrine_dsn("t", simple, {}, {"default": dsn}, Path("state"))))


def _shown(options: SqlOptions) -> str:
    """The text of the options where the secret is the password. As part of a file's name it is none."""
    return repr(options) if SECRET in (options.url.password or "") else ""


def _dsn_and_options(data: bytes) -> tuple[str, dict[str, Any]]:
    """Five texts, separated by NUL: before, in front of, behind and after the password; and options as JSON.

    A DSN without password when there are fewer.
    """
    before, *parts = data.decode("utf-8", "surrogateescape").split("\0")
    options: Any = {}
    if len(parts) == 4:
        try:
            options = json.loads(parts.pop())
        except (ValueError, RecursionError):
            options = {}
    if len(parts) < 3:
        return before, {}
    return f"{before}:{parts[0]}{SECRET}{parts[1]}@{parts[2]}", options if isinstance(options, dict) else {}


def check_yaml(directory: Path, data: bytes) -> None:
    """A messenger.yaml, with secrets in its environment. directory: where it may write."""
    path = _write(directory / "yaml" / "messenger.yaml", data)
    _expect_config_error(lambda: load_config(path, ENVIRON))


def check_env(directory: Path, data: bytes) -> None:
    """A .env file. directory: where it may write."""
    path = _write(directory / "env" / ".env", data)
    _expect_config_error(lambda: _put(read_environment(path.parent, ENVIRON)))


def _put(variables: dict[str, str]) -> None:
    """Put them into the environment, as a command does."""
    with patch.dict(os.environ):
        os.environ.update(variables)


def check_supervisor(directory: Path, data: bytes) -> None:
    """A configuration of Supervisor, that may include itself. directory: where it may write."""
    # Without a slash nothing else is included: /dev/zero has no end.
    path = _write(directory / "supervisor" / "supervisord.conf", data.replace(b"/", b"_"))
    try:
        read_programs(path, {"NAME": "a"})
    except ConfUnreadable as error:
        _check_line(str(error))


def _write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return path


def _expect_config_error(call: Callable[[], object]) -> None:
    """Run it; a ConfigError must be one line without the secret, and anything else is a bug."""
    try:
        said = call()
    except ConfigError as error:
        said = str(error)
        _check_line(said)
    assert not isinstance(said, str) or SECRET not in said, f"the secret is shown: {said}"


def _check_line(text: str) -> None:
    """An error is something, and one line."""
    assert text, "an error without a word"
    assert "\n" not in text, f"more than one line: {text!r}"
