#!/usr/bin/python
"""Ansible module: the settings of a Sentinel, beside what it writes into the same file itself."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: redis_sentinel_file
short_description: Write a Sentinel's file and keep what Sentinel knows
description:
  - Sentinel writes into its configuration file who is master, and which replicas and other Sentinels there are. That is
    kept; the file counts as right when all settings are in it and nothing contradicts them.
  - Sentinel must be stopped before the file is written, or it writes over it.
options:
  path:
    description: Its file.
    type: path
    default: /etc/redis/sentinel.conf
  name:
    description: The name of the set it watches. It watches no other.
    type: str
    required: true
  master:
    description: The address of the master, for a Sentinel that knows none.
    type: str
    required: true
  master_port:
    description: The port of every Redis of the set.
    type: int
    required: true
  quorum:
    description: How many Sentinels must miss the master before it is replaced.
    type: int
    required: true
  down_after:
    description: Seconds without an answer after which it misses a server. A failover may take twelve times as long.
    type: int
    required: true
  address:
    description: How others reach this Sentinel.
    type: str
    required: true
  bind:
    description: The addresses that it listens on.
    type: list
    elements: str
    required: true
  port:
    description: Where it listens without TLS.
    type: int
    required: true
  tls_port:
    description: Where the Sentinels reach each other by TLS; V(0) without TLS.
    type: int
    default: 0
  certificate:
    description: The file with certificate and key.
    type: path
    required: true
  trusted:
    description: The file with the authorities that it trusts.
    type: path
    required: true
  users:
    description: The ACL file of its users.
    type: path
    required: true
  password:
    description: By which the servers of the set know each other.
    type: str
    required: true
author: The messenger-kit authors (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Write the configuration of Sentinel
  messenger.kit.redis_sentinel_file:
    name: messenger
    master: 10.0.0.1
    master_port: 6379
    quorum: 2
    down_after: 5
    address: 10.0.0.1
    bind: [10.0.0.1]
    port: 26379
    certificate: /etc/redis/tls/server.pem
    trusted: /etc/redis/tls/ca.pem
    users: /etc/redis/messenger-kit-sentinel.acl
    password: "{{ vault_replication_password }}"
"""

RETURN = r"""
differs:
  description: Whether the file is, or was, other than it should be.
  returned: success
  type: bool
"""

Line = tuple[str, ...]
# Times `down_after`: how long a failover may take.
FAILOVER = 12
# What Sentinel finds out by itself.
KNOWN = ("myid", "current-epoch", "config-epoch", "leader-epoch", "known-replica", "known-sentinel", "monitor")
# These depend on how the init system starts it.
STARTED = ("daemonize", "supervised", "pidfile")
# Sentinel leaves these out when they are as here.
DEFAULTS = {("sentinel", "down-after-milliseconds"): "30000", ("sentinel", "failover-timeout"): "180000"}


def parse(text: str) -> list[Line]:
    """Its directives, each as its words."""
    lines = (line.strip() for line in text.splitlines())
    return [tuple(shlex.split(line)) for line in lines if line and not line.startswith("#")]


def key(line: Line, name: str) -> Line:
    """What a directive sets: `port`, `sentinel announce-ip`, `sentinel auth-pass messenger`."""
    if line[0].lower() != "sentinel":
        return (line[0].lower(),)
    return line[:3] if len(line) > 3 and line[2] == name else line[:2]


def wanted(text: str, settings: str, name: str, master: str, quorum: int) -> str:
    """What the file should be: `text` itself when it is right."""
    there, asked = parse(text), parse(settings)
    monitors = [line for line in there if line[:2] == ("sentinel", "monitor")]
    at = next((line[3:5] for line in monitors if line[2] == name), tuple(master.rsplit(" ", 1)))
    monitor = ("sentinel", "monitor", name, *at, str(quorum))
    compared = {key(line, name): line for line in asked if line[0] not in STARTED}
    ours = compared.keys() | {key(line, name) for line in there if line[0].startswith("tls-")}
    left_out = {(*words, name): (*words, name, value) for words, value in DEFAULTS.items()} if there else {}
    found = left_out | {key(line, name): line for line in there if key(line, name) in ours}
    if found == compared and monitors == [monitor]:
        return text
    kept = [
        line
        for line in there
        if line[0] == "sentinel" and line[1] in KNOWN[:2] or line[1:3] in [(word, name) for word in KNOWN[2:-1]]
    ]
    return "\n".join([settings.strip(), *(" ".join(line) for line in [monitor, *kept])]) + "\n"


def write(path: Path, text: str) -> None:
    """Write it in one step. It holds passwords."""
    scratch = path.with_name(f".{path.name}.kit")
    scratch.write_text(text)
    shutil.chown(scratch, "redis", "redis")
    scratch.chmod(0o640)
    scratch.replace(path)


def settings(given: Mapping[str, Any]) -> str:
    """Return the settings of a Sentinel as lines of its file, with the password.

    Args:
        given: The parameters of the module.
    """
    name, milliseconds, known = given["name"], given["down_after"] * 1000, given["password"]
    tls = [
        f"tls-port {given['tls_port']}",
        "tls-replication yes",
        "tls-auth-clients no",
        f"tls-cert-file {given['certificate']}",
        f"tls-key-file {given['certificate']}",
        f"tls-ca-cert-file {given['trusted']}",
    ]
    lines = [
        f"port {given['port']}",
        f"bind {' '.join(given['bind'])}",
        "protected-mode no",
        "daemonize yes",
        "pidfile /run/sentinel/redis-sentinel.pid",
        "logfile /var/log/redis/redis-sentinel.log",
        "dir /var/lib/redis",
        f"aclfile {given['users']}",
        *(tls if given["tls_port"] else []),
        "sentinel resolve-hostnames yes",
        "sentinel announce-hostnames yes",
        f"sentinel announce-ip {given['address']}",
        "sentinel sentinel-user sentinel",
        f"sentinel sentinel-pass {known}",
        f"sentinel down-after-milliseconds {name} {milliseconds}",
        f"sentinel failover-timeout {name} {milliseconds * FAILOVER}",
        f"sentinel auth-user {name} kit-sentinel",
        f"sentinel auth-pass {name} {known}",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Compare, and write in one step."""
    path, text = {"type": "path", "required": True}, {"type": "str", "required": True}
    number = {"type": "int", "required": True}
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "default": "/etc/redis/sentinel.conf"},
            **dict.fromkeys(("name", "master", "address"), text),
            **dict.fromkeys(("master_port", "quorum", "down_after", "port"), number),
            **dict.fromkeys(("certificate", "trusted", "users"), path),
            "bind": {"type": "list", "elements": "str", "required": True},
            "tls_port": {"type": "int", "default": 0},
            "password": {**text, "no_log": True},
        },
        supports_check_mode=True,
    )
    given, file = module.params, Path(module.params["path"])
    master = f"{given['master']} {given['master_port']}"
    os.umask(0o077)
    try:
        there = file.read_text() if file.exists() else ""
        new = wanted(there, settings(given), given["name"], master, given["quorum"])
        if new != there and not module.check_mode:
            write(file, new)
    except (OSError, ValueError, LookupError) as error:
        module.fail_json(msg=f"cannot write {file}: {error}")
    module.exit_json(changed=new != there, differs=new != there)


if __name__ == "__main__":
    main()
