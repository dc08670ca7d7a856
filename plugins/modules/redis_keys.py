#!/usr/bin/python
"""Ansible module: the keys of an application in the Redis of this host, told from those of others, and deleted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.messenger.kit.plugins.module_utils.redis import RedisError, Server

DOCUMENTATION = r"""
module: redis_keys
short_description: Delete the keys of an application, and count those of others
description:
  - The keys of an application are those called like one of O(names), or like it with V(:) or V(__) behind. Names that
    other applications use do not count.
  - A replica is left alone. A Redis that does not answer is no failure.
  - Reaches the server as M(messenger.kit.redis_command) does. Supports check mode.
options:
  names:
    description: Names that keys of the application begin with.
    type: list
    elements: str
    required: true
  others:
    description: >-
      The names that keys of other applications begin with, a list for each. An empty one stands for an application
      whose keys are unknown, which may have the names that all have at first.
    type: list
    elements: list
    default: []
  delete:
    description: Whether they are deleted; V(false) only counts.
    type: bool
    default: true
extends_documentation_fragment: [messenger.kit.redis]
author: The messenger-kit authors (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Remove the keys of the application
  messenger.kit.redis_keys:
    names: [shop, orders]
  register: keys
"""

RETURN = r"""
answers:
  description: Whether Redis answered.
  returned: success
  type: bool
own:
  description: How many keys of the application there were.
  returned: success
  type: int
foreign:
  description: How many keys of others there are; a database other than the first counts as one.
  returned: success
  type: int
"""

FIRST_NAMES = ("messages", "messenger")
BATCH = 500


def own_keys(keys: Iterable[str], names: Iterable[str], others: Sequence[Sequence[str]]) -> list[str]:
    """Return those of KEYS that are the application's alone."""
    taken = {name for each in others for name in (each or FIRST_NAMES)}
    patterns = [re.escape(name) for name in names if name not in taken]
    own = re.compile(rf"(?:{'|'.join(patterns)})(?:$|:|__)") if patterns else None
    return [key for key in keys if own and own.match(key)]


def main() -> None:
    """List all keys, and delete the application's."""
    module = AnsibleModule(
        argument_spec={
            "names": {"type": "list", "elements": "str", "required": True},
            "others": {"type": "list", "elements": "list", "default": []},
            "delete": {"type": "bool", "default": True},
            "config": {"type": "path", "default": "/etc/redis/redis.conf"},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        server = Server(Path(given["config"]))
        keys, info = server.call(["--scan"]), server.call(["INFO"])
    except (RedisError, OSError):
        module.exit_json(changed=False, answers=False, own=0, foreign=0)
    own = own_keys(keys, given["names"], given["others"])
    databases = sum(re.match(r"db[1-9]", line) is not None for line in info)
    change = bool(own) and given["delete"] and "role:slave" not in info
    try:
        for start in range(0, len(own) if change and not module.check_mode else 0, BATCH):
            server.call(["DEL", *own[start : start + BATCH]])
    except (RedisError, OSError) as error:
        module.fail_json(msg=f"cannot delete the application's keys: {error}")
    module.exit_json(changed=change, answers=True, own=len(own), foreign=len(keys) - len(own) + databases)


if __name__ == "__main__":
    main()
