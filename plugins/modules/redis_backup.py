#!/usr/bin/python
"""Ansible module: a copy of all that the Redis of this host holds, as it was at one moment."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.messenger.kit.plugins.module_utils.redis import RedisError, Server

DOCUMENTATION = r"""
module: redis_backup
short_description: Have Redis write a dump, check it, and copy it
description:
  - Has Redis write its dump (C(BGSAVE)), which holds everything as it was at the moment it began, and waits for it. The
    copy is checked with C(redis-check-rdb). Changes nothing else, and nothing in check mode.
options:
  copy:
    description: The file to make. It is for O(owner) alone.
    type: path
    required: true
  owner:
    description: Who may read it.
    type: str
    required: true
  seconds:
    description: How long Redis may take.
    type: int
    default: 3600
extends_documentation_fragment: [messenger.kit.redis]
author: The messenger-kit authors (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Copy the data of Redis
  messenger.kit.redis_backup:
    copy: /root/backup/redis.rdb
    owner: root
"""

RETURN = r"""
key_count:
  description: How many keys are in it.
  returned: success
  type: int
sha256:
  description: Its checksum.
  returned: success
  type: str
size:
  description: Its size in bytes.
  returned: success
  type: int
"""


def facts(server: Server) -> dict[str, str]:
    return dict(line.split(":", 1) for line in server.call(["INFO", "persistence"]) if ":" in line)


def dump(server: Server, seconds: int) -> Path:
    """Have the dump written, and wait for it. Raises RedisError."""
    deadline = time.monotonic() + seconds
    while True:  # while it writes another dump or its append-only file, it says no
        try:
            server.call(["BGSAVE"])
            break
        except RedisError as error:
            if "in progress" not in str(error) and "active" not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(1)
    while facts(server)["rdb_bgsave_in_progress"] != "0":
        if time.monotonic() > deadline:
            raise RedisError(f"it has not written its dump in {seconds} s")
        time.sleep(0.2)
    if facts(server)["rdb_last_bgsave_status"] != "ok":
        raise RedisError("it cannot write its dump: its disk is full, or there is too little memory; see its log")
    return Path(server.call(["CONFIG", "GET", "dir"])[1], server.call(["CONFIG", "GET", "dbfilename"])[1])


def check(file: Path) -> int:
    """How many keys a dump holds. Raises RedisError when it is damaged."""
    result = subprocess.run(["redis-check-rdb", str(file)], capture_output=True, text=True, check=False)
    found = re.search(r"(\d+) keys read", result.stdout)
    if result.returncode or not found:
        raise RedisError(f"its dump is damaged: {result.stdout.strip().splitlines()[-1:]}")
    return int(found[1])


def main() -> None:
    """Dump, copy, check."""
    module = AnsibleModule(
        argument_spec={
            "copy": {"type": "path", "required": True},
            "owner": {"type": "str", "required": True},
            "seconds": {"type": "int", "default": 3600},
            "config": {"type": "path", "default": "/etc/redis/redis.conf"},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=True, key_count=0, sha256="", size=0)
    copy = Path(module.params["copy"])
    os.umask(0o077)
    try:
        shutil.copyfile(dump(Server(Path(module.params["config"])), module.params["seconds"]), copy)
        keys = check(copy)
        shutil.chown(copy, module.params["owner"])
        with copy.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except (RedisError, OSError, LookupError) as error:
        module.fail_json(msg=f"backup of the Redis on this host: {error}")
    module.exit_json(changed=True, key_count=keys, sha256=digest, size=copy.stat().st_size)


if __name__ == "__main__":
    main()
