#!/usr/bin/python
"""Ansible module: one command to the Redis of the host it runs on."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.messenger.kit.plugins.module_utils.redis import RedisError, Server

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
extends_documentation_fragment: [messenger.kit.redis]
author: The messenger-kit authors (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Check that the append-only file is on
  messenger.kit.redis_command:
    argv: [CONFIG, GET, appendonly]
  register: appendonly
  failed_when: "'yes' not in appendonly.lines"
"""

RETURN = r"""
lines:
  description: The reply as redis-cli prints it, one entry a line.
  returned: success
  type: list
  elements: str
"""


def main() -> None:
    """Send the command and hand back the reply; fail with Redis's own words."""
    module = AnsibleModule(
        argument_spec={
            "argv": {"type": "list", "elements": "str", "required": True},
            "config": {"type": "path", "default": "/etc/redis/redis.conf"},
        },
        supports_check_mode=True,
    )
    try:
        lines = Server(Path(module.params["config"])).call(module.params["argv"])
    except RedisError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, lines=lines)


if __name__ == "__main__":
    main()
