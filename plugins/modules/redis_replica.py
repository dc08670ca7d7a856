#!/usr/bin/python
"""Ansible module: the Redis of this host is the master of its set, or a replica of that master."""

from __future__ import annotations

import socket
from collections import Counter
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.messenger.kit.plugins.module_utils.redis import RedisError, Server

DOCUMENTATION = r"""
module: redis_replica
short_description: Make a new Redis the replica of the one that is master now
description:
  - Asks the Sentinels who is master; where none knows, it is the one in O(first). Only a Redis that is nobody's
    replica, has none, and holds no keys is made a replica. Everything else is left to Sentinel, or to a person.
  - Runs in check mode too and changes nothing then.
options:
  address:
    description: How others reach this Redis.
    type: str
    required: true
  first:
    description: The address of the master while no Sentinel knows of one.
    type: str
    required: true
  port:
    description: The port of every Redis of the set.
    type: int
    required: true
  name:
    description: The name by which Sentinel knows the set. Empty means that there is no Sentinel.
    type: str
    default: ""
  sentinels:
    description: HOST:PORT of each Sentinel.
    type: list
    elements: str
    default: []
extends_documentation_fragment: [messenger.kit.redis]
author: The messenger-kit authors (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Follow the master
  messenger.kit.redis_replica:
    address: 10.0.0.2
    first: 10.0.0.1
    port: 6379
    name: messenger
    sentinels: ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
"""

RETURN = r"""
master:
  description: The address of the master.
  returned: success
  type: str
"""

SECONDS = 3


def ask(sentinel: str, name: str) -> str:
    """The address of the master that a Sentinel names; empty when it knows none, or does not answer."""
    host, _, port = sentinel.rpartition(":")
    command = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", name]
    request = f"*{len(command)}\r\n" + "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in command)
    try:
        with socket.create_connection((host.strip("[]"), int(port)), SECONDS) as link:
            link.sendall(request.encode())
            reply = link.makefile("rb")
            if not reply.readline().startswith(b"*2"):
                return ""
            reply.readline()
            return reply.readline().strip().decode()
    except (OSError, ValueError):
        return ""


def bring_in_line(server: Server, wanted: dict[str, object], *, change: bool) -> tuple[str, bool]:
    """The master, and whether this Redis had to become its replica. Raises RedisError."""
    answers = [ask(str(each), str(wanted["name"])) for each in wanted["sentinels"]]  # type: ignore[attr-defined]
    (known, _), *_ = [*Counter(filter(None, answers)).most_common(1), ("", 0)]
    master = known or str(wanted["first"])
    facts = dict(line.split(":", 1) for line in server.call(["INFO", "replication"]) if ":" in line)
    if facts["role"] == "slave":
        following = facts["master_host"]
        if not wanted["name"] and following != master:
            raise RedisError(
                f"it is a replica of {following}, not of {master}: redis_replica_of must name the host that is master "
                f"now, or say REPLICAOF {master} {wanted['port']} to it"
            )
        return master, False
    if wanted["address"] == master or known or facts["connected_slaves"] != "0":
        if known and server.call(["DBSIZE"]) == ["0"] and wanted["address"] != master:
            return master, follow(server, master, str(wanted["port"]), change=change)
        return master, False
    (keys,) = server.call(["DBSIZE"])
    if keys != "0":
        raise RedisError(
            f"it holds {keys} keys and would lose them as a replica of {master}. If it is the master now, say so with "
            "redis_replica_of; if they are not needed, FLUSHALL"
        )
    return master, follow(server, master, str(wanted["port"]), change=change)


def follow(server: Server, master: str, port: str, *, change: bool) -> bool:
    """Make it a replica, also after a restart."""
    if change:
        server.call(["REPLICAOF", master, port])
        server.call(["CONFIG", "REWRITE"])
    return True


def main() -> None:
    """Look, and make it a replica where it must be."""
    text = {"type": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            "address": text,
            "first": text,
            "port": {"type": "int", "required": True},
            "name": {"type": "str", "default": ""},
            "sentinels": {"type": "list", "elements": "str", "default": []},
            "config": {"type": "path", "default": "/etc/redis/redis.conf"},
        },
        supports_check_mode=True,
    )
    try:
        server = Server(Path(module.params["config"]))
        master, changed = bring_in_line(server, module.params, change=not module.check_mode)
    except RedisError as error:
        if module.check_mode:  # it does not run yet, or with other settings
            module.exit_json(changed=True, master=module.params["first"])
        module.fail_json(msg=f"Redis on this host: {error}")
    module.exit_json(changed=changed, master=master)


if __name__ == "__main__":
    main()
