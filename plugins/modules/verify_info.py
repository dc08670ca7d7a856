#!/usr/bin/python
"""Ansible module: whether the releases and environments of a host are what was built."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.messenger.kit.plugins.module_utils.releases import RELEASE_ID, environments, marked
from ansible_collections.messenger.kit.plugins.module_utils.text import printable
from ansible_collections.messenger.kit.plugins.module_utils.tree import Refused, differences

DOCUMENTATION = r"""
module: verify_info
short_description: Whether the releases and environments of an application are what was built
description:
  - Compares every file of those that are completely built with C(.manifest), which root wrote when they were built;
    content, mode, and owner. Changes nothing.
options:
  most: {description: How many differences of each to return., type: int, default: 5}
extends_documentation_fragment: [messenger.kit.application]
author: The messenger-kit authors (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Compare the releases with what was built
  messenger.kit.verify_info:
    root: /srv/sms
  register: verified

- name: Fail if a file was changed
  ansible.builtin.assert:
    that: verified.different | length == 0
"""

RETURN = r"""
verified: {description: How many were compared., returned: always, type: int}
different:
  description: Those that are not what was built.
  returned: always
  type: list
  elements: dict
  contains:
    path: {description: The release or environment., type: str}
    differences: {description: "Which paths differ, are missing, or are new; the first ones.", type: list}
    count: {description: How many there are., type: int}
"""


def built(root: Path) -> list[Path]:
    """The releases and environments that count as completely built, and the environment of pip."""
    directory = root / "releases"
    found = sorted(directory.iterdir()) if directory.is_dir() else []
    releases = [entry for entry in found if RELEASE_ID.match(entry.name)]
    return [each for each in [*releases, *environments(root), root / "pip"] if marked(each, "ready")]


def compare(directory: Path) -> list[str]:
    """What differs in DIRECTORY."""
    try:
        return [printable(each, 200) for each in differences(directory)]
    except (Refused, OSError) as error:
        return [printable(str(error), 200)]


def main() -> None:
    """Compare, and report."""
    module = AnsibleModule(
        argument_spec={"root": {"type": "path", "required": True}, "most": {"type": "int", "default": 5}},
        supports_check_mode=True,
    )
    directories = built(Path(module.params["root"]))
    found = {str(directory): compare(directory) for directory in directories}
    module.exit_json(
        changed=False,
        verified=len(directories),
        different=[
            {"path": path, "differences": lines[: module.params["most"]], "count": len(lines)}
            for path, lines in found.items()
            if lines
        ],
    )


if __name__ == "__main__":
    main()
