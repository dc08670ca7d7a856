"""Filters that derive names from what an inventory says of an application."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleFilterError

DSN = re.compile(r"(redis|valkey)s?://")
SENTINEL = re.compile(r"[?&](sentinel_master|redis_sentinel)=")
SERVER = re.compile(r"(?:^|,)[a-z]+://(?:[^/,@]*@)?(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]+)(:[0-9]+)?(?=[/,]|$)")
SENTINEL_HOST = re.compile(r"[?&]host\[([^\]&]+:[0-9]+)\]")
STREAM = re.compile(r"(?:redis|valkey)s?://[^/ ]+/?([A-Za-z0-9_.-]*)")
NAME_CHARACTERS = 32


def source_name(source: str) -> str:
    """Return what the application in `source` is called: the last part of a path, a repository, a wheel or a package.

    Args:
        source: A value of `messenger_app_source`.
    """
    if source.startswith("git+"):
        path = re.sub(r"^git[+][a-z+]+://[^/]*|#.*$", "", source)
        path = re.sub(r"([.]git)?/?$", "", re.sub(r"@.*$", "", path))
    elif re.match(r"[^/~]+==[^/]+$", source):
        path = re.sub(r"([^A-Za-z0-9._-].*)?==.*$", "", source).lower()
    else:
        path = os.path.realpath(source)
    return re.sub(r"-[0-9].*[.](whl|tar[.]gz)$", "", Path(path).name)


def redis_addresses(environment: Mapping[str, Any]) -> list[str]:
    """Return HOST[:PORT] of every Redis that a DSN in `environment` names, without users and passwords."""
    found: list[str] = []
    for value in map(str, environment.values()):
        dsn = value.strip()
        if DSN.match(dsn) and not SENTINEL.search(dsn):
            found += ["".join(parts) for parts in SERVER.findall(re.sub(r"[?#].*", "", dsn))]
    return list(dict.fromkeys(found))


def sentinel_addresses(environment: Mapping[str, Any]) -> list[str]:
    """Return HOST:PORT of every Sentinel that a DSN in `environment` names."""
    dsns = [value for value in map(str, environment.values()) if SENTINEL.search(value)]
    return list(dict.fromkeys(address for dsn in dsns for address in SENTINEL_HOST.findall(dsn)))


def key_names(config_dir: str, environment: Mapping[str, Any]) -> list[str]:
    """Return what the application's keys in Redis begin with: the name of its worker registry, and its streams.

    Args:
        config_dir: The directory with the application's messenger.yaml.
        environment: A value of `messenger_app_env`; its DSNs name streams, too.

    Raises:
        AnsibleFilterError: messenger.yaml cannot be read. Its text, which may hold passwords, is not in the error.
    """
    file = Path(config_dir) / "messenger.yaml"
    try:
        text = file.read_text()
        document = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        raise AnsibleFilterError(f"{file} cannot be read, or is no YAML") from None
    config = _mapping(document).get("messenger") or _mapping(_mapping(document).get("framework")).get("messenger")
    streams = STREAM.findall("\n".join([*map(str, environment.values()), text]))
    return list(
        dict.fromkeys([str(_mapping(config).get("name", "messenger")), *(name or "messages" for name in streams)])
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def environment_name(config_dir: str, python: str, soabi: str, built_with: Sequence[str] = ()) -> str:
    """Return the name of the Python environment that all releases with one lock file share on a host.

    Args:
        config_dir: The directory with requirements.lock.
        python: Path of the host's Python.
        soabi: What the compiled modules of that Python are for.
        built_with: What else decides about the wheels, besides their hashes in the lock file.
    """
    lock = (Path(config_dir) / "requirements.lock").read_text().rstrip()
    return hashlib.sha256("\n".join([python, soabi, lock, *built_with]).encode()).hexdigest()[:NAME_CHARACTERS]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the functions by the names of the filters."""
        return {
            "environment_name": environment_name,
            "key_names": key_names,
            "redis_addresses": redis_addresses,
            "sentinel_addresses": sentinel_addresses,
            "source_name": source_name,
        }
