#!/usr/bin/python3
"""Ansible module: one command to the Redis of the host it runs on."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: redis_command
short_description: Send one command to the Redis server of this host
description:
  - Finds port, address and password in the server's own configuration files, includes followed, so that no
    password passes through Ansible, a process list or a log.
  - Always reports O(changed=false); say with C(changed_when) what a command changes. Runs in check mode too.
options:
  argv:
    description: The command, e.g. C([CONFIG, GET, appendonly]).
    type: list
    elements: str
    required: true
  config:
    description: The server's configuration file.
    type: path
    default: /etc/redis/redis.conf
author: messenger-kit
"""

RETURN = r"""
lines:
  description: The reply as redis-cli prints it, one entry a line.
  returned: success
  type: list
  elements: str
"""

EVERYWHERE = ("*", "0.0.0.0", "::", "localhost")


def settings(file: Path, found: dict[str, list[str]] | None = None) -> dict[str, list[str]]:
    """Every directive of FILE and of what it includes, with its arguments; the last one wins, as in Redis."""
    found = {} if found is None else found
    for line in file.read_text(errors="replace").splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, *values = shlex.split(line)
        if name.lower() == "include":
            for included in sorted(Path("/").glob(values[0].lstrip("/"))):
                settings(included, found)
        else:
            found[name.lower()] = values
    return found


def main() -> None:
    """Send the command and hand back the reply; fail with Redis's own words."""
    module = AnsibleModule(
        argument_spec={
            "argv": {"type": "list", "elements": "str", "required": True},
            "config": {"type": "path", "default": "/etc/redis/redis.conf"},
        },
        supports_check_mode=True,
    )
    config = Path(module.params["config"])
    try:
        known = settings(config)
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"cannot read {config}: {error}")
    host = known.get("bind", ["127.0.0.1"])[0].lstrip("-")
    port = known.get("port", ["6379"])[0]
    environment = dict(os.environ)
    if known.get("requirepass", [""])[0]:
        environment["REDISCLI_AUTH"] = known["requirepass"][0]
    result = subprocess.run(
        ["redis-cli", "-e", "-h", "127.0.0.1" if host in EVERYWHERE else host, "-p", port, "--raw"]
        + module.params["argv"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if result.returncode:
        said = (result.stderr or result.stdout).strip()
        module.fail_json(msg=f"Redis at {host}:{port} on this host: {said}")
    module.exit_json(changed=False, lines=result.stdout.splitlines())


if __name__ == "__main__":
    main()
