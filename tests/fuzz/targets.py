"""What is fuzzed: each target takes any bytes and raises when a promise is broken.

The promises: nothing but the documented errors, one line each, no secret in them, and nothing lost on the way. That it
takes neither long nor much memory is watched by guided.py.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.fuzz import config_targets, outside_targets, wire_targets

NAMES = (
    "value",
    "headers",
    "row",
    "relay",
    "php_string",
    "dsn",
    "redis",
    "doctrine",
    "yaml",
    "env",
    "supervisor",
    "control",
    "log",
    "arguments",
)
PLANTED = "planted"  # a bug for the harness's own test
CORPUS = Path(__file__).with_name("corpus")


def targets(directory: Path) -> dict[str, Callable[[bytes], None]]:
    """The targets by name. directory: an empty one, for the files that some of them read."""
    return {
        "value": wire_targets.check_value,
        "headers": wire_targets.check_headers,
        "row": wire_targets.check_row,
        "relay": wire_targets.check_relay,
        "php_string": wire_targets.check_php_string,
        "dsn": config_targets.check_dsn,
        "redis": config_targets.check_redis,
        "doctrine": config_targets.check_doctrine,
        "yaml": partial(config_targets.check_yaml, directory),
        "env": partial(config_targets.check_env, directory),
        "supervisor": partial(config_targets.check_supervisor, directory),
        "control": outside_targets.check_control,
        "log": outside_targets.check_log,
        "arguments": outside_targets.check_arguments,
        PLANTED: _check_planted,
    }


def corpus(name: str) -> list[bytes]:
    """The inputs that are kept for a target: good ones to start from, and those that once found a bug."""
    return [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]


def _check_planted(data: bytes) -> None:
    assert data != b"bug", "the planted bug"
