#!/usr/bin/python3
"""Ansible module: how the Redis of the host it runs on is, its Sentinel, and the disk it writes to."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.messenger.kit.plugins.module_utils.redis import RedisError, Server

DOCUMENTATION = r"""
module: redis_info
short_description: Ask the Redis server of this host, and its Sentinel, how they are
description:
  - Reaches the servers as M(messenger.kit.redis_command) does; all in one round trip. What cannot be asked is
    part of the answer and no failure.
  - Always reports O(changed=false). Runs in check mode too.
options:
  config:
    description: Redis's configuration file.
    type: path
    required: true
  sentinel_config:
    description: Sentinel's configuration file.
    type: path
    required: true
  sentinel_name:
    description: The set that Sentinel watches; empty when there is no Sentinel.
    type: str
    required: true
author: messenger-kit
"""

RETURN = r"""
redis:
  description: C(lines) of C(INFO), or none and in C(msg) why.
  returned: success
  type: dict
quorum:
  description: The same of C(SENTINEL CKQUORUM).
  returned: success
  type: dict
master:
  description: The address that Sentinel gives; empty when it gives none.
  returned: success
  type: str
disk:
  description: C(free_megabytes) where Redis writes, and C(free_inodes) if that file system has a fixed number of them.
  returned: success
  type: dict
"""


def reply(config: Path, *argv: str) -> dict[str, Any]:
    """The lines of the reply, or none and why."""
    try:
        return {"lines": Server(config).call(list(argv)), "msg": ""}
    except (RedisError, OSError, subprocess.SubprocessError) as error:
        return {"lines": [], "msg": str(error)}


def disk(directory: str) -> dict[str, int]:
    """What a user other than root may still write there."""
    try:
        room = os.statvfs(directory)
    except OSError:
        return {}
    inodes = {"free_inodes": room.f_favail} if room.f_files else {}
    return {"free_megabytes": room.f_bavail * room.f_frsize // 2**20, **inodes}


def look(config: Path, sentinel_config: Path, name: str) -> dict[str, Any]:
    """Ask everything."""
    nothing = {"lines": [], "msg": ""}
    found: dict[str, Any] = {"redis": reply(config, "INFO"), "quorum": nothing, "master": "", "disk": {}}
    if name:
        found["quorum"] = reply(sentinel_config, "SENTINEL", "CKQUORUM", name)
        found["master"] = [*reply(sentinel_config, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", name)["lines"], ""][0]
    if found["redis"]["lines"]:
        _, directory, *_ = [*reply(config, "CONFIG", "GET", "dir")["lines"], "/var/lib", "/var/lib"]
        found["disk"] = disk(directory)
    return found


def main() -> None:
    """Look, and say what was seen."""
    options = {"config": "path", "sentinel_config": "path", "sentinel_name": "str"}
    module = AnsibleModule(
        argument_spec={name: {"type": kind, "required": True} for name, kind in options.items()},
        supports_check_mode=True,
    )
    given = module.params
    module.exit_json(
        changed=False, **look(Path(given["config"]), Path(given["sentinel_config"]), given["sentinel_name"])
    )


if __name__ == "__main__":
    main()
