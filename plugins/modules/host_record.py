#!/usr/bin/python
"""Ansible module: record on a host what an application needs of a service, or which packages the kit installed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.messenger.kit.plugins.module_utils import host_record

DOCUMENTATION = r"""
module: host_record
short_description: Record what an application needs of a host
description:
  - Several applications may share the Redis or the Supervisor of a host. Each records what it needs, so that none
    takes away or changes what another one uses; and the kit records which packages it installed, so that it removes
    no other.
  - The records are files of root's in O(directory), a file for each application and service. They hold hashes of
    passwords, so only root may read them.
  - Supports check mode.
options:
  service:
    description: The service that is shared, such as V(redis). Empty when only O(packages) are recorded.
    type: str
    default: ""
  application:
    description: The application that needs it.
    type: str
    default: ""
  needs:
    description: What it needs, with the key C(application).
    type: dict
    default: {}
  state:
    description: V(absent) removes the record of this application.
    type: str
    choices: [present, absent]
    default: present
  packages:
    description: Packages that the kit installed; they are added to those of before.
    type: list
    elements: str
    default: []
  directory:
    description: Where the records are.
    type: path
    default: /var/lib/messenger-kit
author: The messenger-kit authors (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Record what this application needs of Redis
  messenger.kit.host_record:
    service: redis
    application: shop
    needs: {application: shop, users: [shop], settings: {redis_port: 6379}}
"""

RETURN = r"""
# Nothing beside what every module returns.
"""


def changes(given: dict[str, Any]) -> list[tuple[Path, str, int]]:
    """Return the files that differ from what is wanted, with text and mode."""
    directory = Path(given["directory"])
    wanted = []
    before = host_record.packages(directory)
    added = [package for package in dict.fromkeys(given["packages"]) if package not in before]
    if added:
        wanted.append((directory / host_record.PACKAGES, "\n".join([*before, *added]) + "\n", 0o644))
    if given["service"] and given["state"] == "present":
        text = json.dumps(given["needs"], sort_keys=True) + "\n"
        wanted.append((directory / given["service"] / f"{given['application']}.json", text, 0o600))
    return [each for each in wanted if not is_written(*each)]


def is_written(file: Path, text: str, mode: int) -> bool:
    """Return whether a file has this text and mode."""
    return file.exists() and file.read_text() == text and file.stat().st_mode & 0o777 == mode


def main() -> None:
    """Compare, and write or remove what differs."""
    text = {"type": "str", "default": ""}
    module = AnsibleModule(
        argument_spec={
            "service": text,
            "application": text,
            "needs": {"type": "dict", "default": {}},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "packages": {"type": "list", "elements": "str", "default": []},
            "directory": {"type": "path", "default": "/var/lib/messenger-kit"},
        },
        supports_check_mode=True,
    )
    given = module.params
    own = Path(given["directory"], given["service"], f"{given['application']}.json")
    gone = given["state"] == "absent" and own.exists()
    try:
        differing = changes(given)
        if not module.check_mode:
            for file, wanted, mode in differing:
                host_record.write(file, wanted, mode)
            if gone:
                own.unlink()
    except OSError as error:
        module.fail_json(msg=f"cannot record what {given['application'] or 'the kit'} needs: {error}")
    module.exit_json(changed=bool(differing or gone))


if __name__ == "__main__":
    main()
