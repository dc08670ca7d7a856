#!/usr/bin/python
"""Ansible module: the users of the Redis of this host are those of its ACL file."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.messenger.kit.plugins.module_utils.redis import RedisError, Server

DOCUMENTATION = r"""
module: redis_users
short_description: Bring the users of the running Redis in line with its ACL file
description:
  - Compares what C(ACL LIST) says with the file and changes only the users that differ, with C(ACL SETUSER) and
    C(ACL DELUSER). C(ACL LOAD) would, in Redis 7.0, also disconnect every user who did not change.
  - Reaches the server as M(messenger.kit.redis_command) does. Passwords are in the file as SHA-256 hashes only.
options:
  file:
    description: The ACL file, one user a line.
    type: path
    required: true
extends_documentation_fragment: [messenger.kit.redis]
author: The messenger-kit authors (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Bring the users in line with their file
  messenger.kit.redis_users:
    file: /etc/redis/messenger-kit-users.acl
"""

RETURN = r"""
set:
  description: Users who were made or changed, or would be in check mode.
  returned: success
  type: list
  elements: str
deleted:
  description: Users who were deleted, or would be.
  returned: success
  type: list
  elements: str
"""

Users = dict[str, str]
# No name of a user that the role takes has a dot.
PROBE = "messenger-kit.probe."


def users(lines: list[str]) -> Users:
    """The rules of each user in lines such as `user sms on ~messages +xadd`."""
    return {words[1]: words[2] for words in (line.split(maxsplit=2) for line in lines) if words[:1] == ["user"]}


def compare(server: Server, wanted: Users) -> tuple[list[str], list[str]]:
    """The users to set and those to delete. Raises RedisError.

    Redis says the rules of a user in other words than they were given. So it is told of each wanted user under
    another name, too, and asked what it makes of it: in a transaction, after which the other names are gone.
    """
    commands = ["MULTI"]
    commands += [f"ACL SETUSER {PROBE}{name} reset {rules}" for name, rules in wanted.items()]
    commands += ["ACL LIST", f"ACL DELUSER {' '.join(PROBE + name for name in wanted)}", "EXEC"]
    found = users(server.call([], "\n".join(commands) + "\n"))
    there = {name: rules for name, rules in found.items() if not name.startswith(PROBE)}
    if not wanted.keys() <= {name.removeprefix(PROBE) for name in found if name.startswith(PROBE)}:
        raise RedisError("Redis does not take the users as they are written")
    different = [name for name in wanted if there.get(name) != found[PROBE + name]]
    return different, [name for name in there if name not in wanted]


def bring_in_line(server: Server, wanted: Users, *, change: bool) -> tuple[list[str], list[str]]:
    """Set and delete what differs, if `change`, and look again. The users set and deleted. Raises RedisError."""
    different, gone = compare(server, wanted)
    if change and (different or gone):
        commands = [f"ACL SETUSER {name} reset {wanted[name]}\n" for name in different]
        commands += [f"ACL DELUSER {name}\n" for name in gone]
        server.call([], "".join(commands))
        left = compare(server, wanted)
        if any(left):
            raise RedisError(f"Redis did not take these as they are: {', '.join(left[0] + left[1])}")
    return different, gone


def main() -> None:
    """Compare, change, and look again."""
    module = AnsibleModule(
        argument_spec={
            "file": {"type": "path", "required": True},
            "config": {"type": "path", "default": "/etc/redis/redis.conf"},
        },
        supports_check_mode=True,
    )
    file = module.params["file"]
    try:
        wanted = users(Path(file).read_text().splitlines())
        server = Server(Path(module.params["config"]))
        different, gone = bring_in_line(server, wanted, change=not module.check_mode)
    except (RedisError, OSError) as error:
        if module.check_mode:  # there is no such file yet, or no such Redis
            module.exit_json(changed=True, set=[], deleted=[])
        module.fail_json(msg=f"users of {file}: {error}")
    module.exit_json(changed=bool(different or gone), set=different, deleted=gone)


if __name__ == "__main__":
    main()
