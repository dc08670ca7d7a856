#!/usr/bin/python
"""Ansible module: runs a command of the application as its user, with no way back to root."""

from __future__ import annotations

import json

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.messenger.kit.plugins.module_utils.process import User, run_as
from ansible_collections.messenger.kit.plugins.module_utils.text import printable_block

DOCUMENTATION = r"""
module: run_as
short_description: Runs a command as the application's user
description:
  - In a session of its own without a terminal, with a minimal environment, umask 0027, and no way to gain privileges;
    for a bounded time and with a bounded output. What it left behind is not waited for.
  - Never reports a change, and fails only when there is no such user or command. Runs in check mode, too.
options:
  user: {description: The user., type: str, required: true}
  command: {description: The command and its arguments., type: list, elements: str, required: true}
  chdir: {description: Where it runs; a directory that only root may change., type: path, default: /}
  environment_file:
    description: An env file whose variables it gets, too, as python-dotenv of C(python) reads them.
    type: path
  python: {description: The Python that reads C(environment_file)., type: path}
  environment: {description: Added to PATH and LANG., type: dict, default: {}}
  seconds: {description: After that it is killed., type: float, default: 60}
author: The messenger-kit authors (!UNKNOWN)
"""

EXAMPLES = r"""
- name: List the failed messages
  messenger.kit.run_as:
    user: sms
    command: [/srv/sms/bin/messenger, failed, --format, json]
    seconds: 60
  register: failed
"""

RETURN = r"""
rc: {description: "Its exit code; -9 when it was killed.", returned: success, type: int}
stdout: {description: What it wrote. Control characters are escaped unless it is JSON., returned: success, type: str}
stderr: {description: "The same; and why it was killed.", returned: success, type: str}
"""

# Run by the release's own Python, so that a new environment can be tried before it is in force.
WITH_FILE = """
import os, sys
from dotenv import dotenv_values
file, *command = sys.argv[1:]
values = dotenv_values(file, interpolate=False)
os.environ.update({name: value for name, value in values.items() if value is not None})
os.execv(command[0], command)
"""


def shown(text: str) -> str:
    """TEXT with control characters as escapes, line by line. In JSON they are escaped already."""
    try:
        return json.dumps(json.loads(text))
    except ValueError:
        return printable_block(text.rstrip("\n"))


def with_file(command: list[str], file: str | None, python: str) -> list[str]:
    """Return `command`, run with the variables of an env file if there is one."""
    return [python, "-I", "-c", WITH_FILE, file, *command] if file else command


def main() -> None:
    """Run it, and report."""
    module = AnsibleModule(
        argument_spec={
            "user": {"type": "str", "required": True},
            "command": {"type": "list", "elements": "str", "required": True},
            "chdir": {"type": "path", "default": "/"},
            "environment_file": {"type": "path"},
            "python": {"type": "path"},
            "environment": {"type": "dict", "default": {}},
            "seconds": {"type": "float", "default": 60},
        },
        required_by={"environment_file": "python"},
        supports_check_mode=True,
    )
    asked = module.params
    try:
        ran = run_as(
            User.named(asked["user"]),
            with_file(asked["command"], asked["environment_file"], asked["python"]),
            asked["chdir"],
            environment={name: str(value) for name, value in asked["environment"].items()},
            seconds=asked["seconds"],
        )
    except (LookupError, OSError) as error:
        module.fail_json(msg=f"{asked['command'][0]} cannot be run: {error}")
    words = [shown(ran.stderr), ran.stopped]
    module.exit_json(changed=False, rc=ran.code, stdout=shown(ran.stdout), stderr="\n".join(filter(None, words)))


if __name__ == "__main__":
    main()
