#!/usr/bin/python
"""Ansible module: what other applications need of a service of this host, and which packages are missing."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.messenger.kit.plugins.module_utils import host_record

DOCUMENTATION = r"""
module: host_record_info
short_description: Read what applications need of a host
description:
  - Reads what M(messenger.kit.host_record) wrote, and asks dpkg for packages. Changes nothing.
options:
  service:
    description: The service that applications share, such as V(redis).
    type: str
    required: true
  application:
    description: The application that is left out.
    type: str
    required: true
  packages:
    description: Packages to ask for.
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
- name: Check what other applications need of Redis
  messenger.kit.host_record_info:
    service: redis
    application: shop
    packages: [redis-server]
  register: record
"""

RETURN = r"""
others:
  description: What each other application needs, as it recorded it.
  returned: success
  type: list
  elements: dict
packages:
  description: The packages that the kit installed.
  returned: success
  type: list
  elements: str
missing:
  description: Those of O(packages) that are not installed.
  returned: success
  type: list
  elements: str
"""


def missing(packages: Sequence[str]) -> list[str]:
    """Return the packages that are not installed.

    Raises:
        OSError: dpkg cannot be asked.
    """
    if not packages:
        return []
    command = ["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\n", *packages]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode not in (0, 1):
        raise OSError(f"dpkg-query: {ran.stderr.strip()}")
    installed = {line.split()[0] for line in ran.stdout.splitlines() if line.endswith(" installed")}
    return [package for package in packages if package not in installed]


def main() -> None:
    """Read it, and ask dpkg."""
    text = {"type": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            "service": text,
            "application": text,
            "packages": {"type": "list", "elements": "str", "default": []},
            "directory": {"type": "path", "default": "/var/lib/messenger-kit"},
        },
        supports_check_mode=True,
    )
    given = module.params
    directory = Path(given["directory"])
    try:
        others = host_record.needs_of_others(directory, given["service"], given["application"])
        module.exit_json(
            changed=False,
            others=others,
            packages=host_record.packages(directory),
            missing=missing(given["packages"]),
        )
    except (OSError, ValueError, LookupError) as error:
        module.fail_json(msg=f"cannot read what applications need of this host: {error}")


if __name__ == "__main__":
    main()
