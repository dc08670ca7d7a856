#!/usr/bin/python
"""Ansible module: how the Redis of this host, its Sentinel and its disk are, and what would lose messages."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.messenger.kit.plugins.module_utils.redis import RedisError, Server, settings

DOCUMENTATION = r"""
module: redis_info
short_description: Ask the Redis of this host, and its Sentinel, how they are
description:
  - Reaches the servers as M(messenger.kit.redis_command) does, all in one round trip. A server that does not answer is
    a finding and no failure.
  - Changes nothing. Supports check mode.
options:
  config:
    description: Redis's configuration file.
    type: path
    default: /etc/redis/redis.conf
  include:
    description: The file that the role has it include.
    type: path
    default: /etc/redis/messenger-kit.conf
  commands:
    description: Commands that the kit will need.
    type: list
    elements: str
    default: []
  sentinel_config:
    description: Sentinel's configuration file.
    type: path
    default: /etc/redis/sentinel.conf
  sentinel_name:
    description: The set that Sentinel watches; empty when there is no Sentinel.
    type: str
    default: ""
  address:
    description: How others reach this Redis; compared with the master that Sentinel names.
    type: str
    default: ""
  replicas:
    description: How many replicas a master must have.
    type: int
    default: 0
author: The messenger-kit authors (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Check Redis
  messenger.kit.redis_info:
  register: redis
"""

RETURN = r"""
present:
  description: Whether Redis's configuration file is there.
  returned: success
  type: bool
configured:
  description: Whether O(include) is there.
  returned: success
  type: bool
included:
  description: Whether the configuration file includes O(include).
  returned: success
  type: bool
missing_commands:
  description: Those of O(commands) that the configuration takes away.
  returned: success
  type: list
  elements: str
findings:
  description: >-
    What is wrong, each with C(level) (V(fail) where messages would be lost or refused, V(warn), V(note)), C(where),
    C(found) and C(change).
  returned: success
  type: list
  elements: dict
"""

LOG, SENTINEL_LOG = "/var/log/redis/redis-server.log", "/var/log/redis/redis-sentinel.log"
FREE_MEGABYTES, FREE_INODES = 500, 1000
LAG_SECONDS = 10
Finding = dict[str, str]


class Reply(NamedTuple):
    """The lines of a reply, or none and why."""

    lines: list[str]
    error: str = ""


class Seen(NamedTuple):
    """What the servers and the disk said. `disk` has `free_megabytes` and, if their number is fixed, `free_inodes`."""

    present: bool
    info: Reply
    quorum: Reply = Reply([])
    master: str = ""
    disk: Mapping[str, int] = {}


class Expected(NamedTuple):
    """How the inventory wants it. `replicas` is the number of a master's, 0 for a single Redis."""

    address: str = ""
    sentinel_name: str = ""
    replicas: int = 0


def reply(config: Path, *argv: str) -> Reply:
    """Send a command to the server of a configuration file."""
    try:
        return Reply(Server(config).call(list(argv)))
    except (RedisError, OSError, subprocess.SubprocessError) as error:
        return Reply([], str(error))


def disk(directory: str) -> dict[str, int]:
    """Return what a user other than root may still write there; nothing if the directory is missing."""
    try:
        room = os.statvfs(directory)
    except OSError:
        return {}
    inodes = {"free_inodes": room.f_favail} if room.f_files else {}
    return {"free_megabytes": room.f_bavail * room.f_frsize // 2**20, **inodes}


def look(config: Path, sentinel_config: Path, name: str) -> Seen:
    """Ask Redis, the Sentinel of the set NAME, and the disk."""
    seen = Seen(config.exists(), reply(config, "INFO"))
    if name:
        master = [*reply(sentinel_config, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", name).lines, ""][0]
        seen = seen._replace(quorum=reply(sentinel_config, "SENTINEL", "CKQUORUM", name), master=master)
    if seen.info.lines:
        _, directory, *_ = [*reply(config, "CONFIG", "GET", "dir").lines, "/var/lib", "/var/lib"]
        seen = seen._replace(disk=disk(directory))
    return seen


def findings(seen: Seen, expected: Expected) -> list[Finding]:
    """Return what is wrong with what was seen."""
    facts = dict(line.split(":", 1) for line in seen.info.lines if ":" in line)
    elsewhere = bool(seen.quorum.lines) and seen.master not in ("", expected.address)
    found = [*_safety(seen, facts, elsewhere), *_disk(seen.disk), *_replication(facts, expected, elsewhere)]
    if expected.sentinel_name and not seen.quorum.lines:
        error = f"when the master dies, no other takes over: {seen.quorum.error}"
        start = f"service redis-sentinel start on each host; its log is {SENTINEL_LOG}"
        found.append(_finding("warn", "Sentinel", error, start))
    return found if seen.present else [_to_come(finding) for finding in found]


def _finding(level: str, where: str, found: str, change: str) -> Finding:
    return {"level": level, "where": where, "found": found, "change": change}


def _to_come(finding: Finding) -> Finding:
    """Return the finding of a Redis that is not installed yet."""
    return finding | {"level": "note", "change": "site.yml installs it"}


def _safety(seen: Seen, facts: Mapping[str, str], elsewhere: bool) -> Iterator[Finding]:
    """Yield why messages would be lost or refused. ELSEWHERE: Sentinel has another host as the master."""
    if not seen.info.lines:
        start = f"service redis-server start; why it stopped stands in {LOG}"
        error = seen.info.error or "it does not answer"
        yield _finding("warn" if elsewhere else "fail", "Redis", error, start)
        return
    same = "and the same in the file that says otherwise"
    if (policy := facts.get("maxmemory_policy", "")) != "noeviction":
        found = f"maxmemory-policy is {policy}: at the memory limit it deletes messages"
        yield _finding("fail", "Redis", found, f"redis-cli CONFIG SET maxmemory-policy noeviction, {same}")
    if facts.get("aof_enabled") != "1":
        found = "the append-only file is off: a restart loses messages"
        yield _finding("fail", "Redis", found, f"redis-cli CONFIG SET appendonly yes, {same}")
    elif {facts.get("aof_last_write_status"), facts.get("aof_last_bgrewrite_status")} != {"ok"}:
        change = f"make room on its disk; its log says what is wrong: {LOG}"
        yield _finding("fail", "Redis", "it cannot write its append-only file", change)


def _disk(room: Mapping[str, int]) -> Iterator[Finding]:
    megabytes, inodes = room.get("free_megabytes", FREE_MEGABYTES), room.get("free_inodes", FREE_INODES)
    if megabytes < FREE_MEGABYTES:
        change = "make room on it; when it is full, nothing can be sent any more"
        yield _finding("fail", "disk of Redis", f"{megabytes} MB free, {FREE_MEGABYTES} needed", change)
    if inodes < FREE_INODES:
        change = "delete files on it (many small ones use them up)"
        yield _finding("fail", "disk of Redis", f"{inodes} inodes free, {FREE_INODES} needed", change)


def _replication(facts: Mapping[str, str], expected: Expected, elsewhere: bool) -> Iterator[Finding]:
    replicas = [value for name, value in facts.items() if re.fullmatch("slave[0-9]+", name)]
    if facts.get("master_link_status") == "down":
        change = f"what keeps them apart stands in {LOG}"
        yield _finding("warn", "replica", "it has no connection to its master and gets no copies", change)
    late = [match[1] for value in replicas if (match := re.search(r"\blag=(\d+)", value))]
    lag = max(map(int, [*late, facts.get("master_last_io_seconds_ago", "0")]))
    if lag > LAG_SECONDS:
        found = f"copies are {lag} s late: a failover now would lose what came since"
        yield _finding("warn", "replica", found, "look at network, disk and load of the two hosts")
    online = sum("state=online" in value for value in replicas)
    if facts.get("role") == "master" and expected.replicas not in (0, online) and not elsewhere:
        change = "start Redis where it is missing; `redis-cli INFO replication` says who is there"
        yield _finding("warn", "Redis", f"it is the master and has {online} of {expected.replicas} replicas", change)


def configuration(config: Path, include: Path, commands: list[str]) -> dict[str, Any]:
    """Return whether a configuration file includes another one, and which commands it takes away."""
    try:
        lines = config.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    try:
        known = settings(config)
    except (OSError, ValueError):
        known = {}
    missing = [command for command in commands if known.get(f"rename-command {command.lower()}") == [""]]
    return {"included": f"include {include}" in lines, "missing_commands": missing}


def main() -> None:
    """Look, and return what was found."""
    file, text = {"type": "path"}, {"type": "str", "default": ""}
    module = AnsibleModule(
        argument_spec={
            "config": {**file, "default": "/etc/redis/redis.conf"},
            "include": {**file, "default": "/etc/redis/messenger-kit.conf"},
            "commands": {"type": "list", "elements": "str", "default": []},
            "sentinel_config": {**file, "default": "/etc/redis/sentinel.conf"},
            "sentinel_name": text,
            "address": text,
            "replicas": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    given = module.params
    config, include = Path(given["config"]), Path(given["include"])
    seen = look(config, Path(given["sentinel_config"]), given["sentinel_name"])
    module.exit_json(
        changed=False,
        present=seen.present,
        configured=include.exists(),
        findings=findings(seen, Expected(given["address"], given["sentinel_name"], given["replicas"])),
        **configuration(config, include, given["commands"]),
    )


if __name__ == "__main__":
    main()
