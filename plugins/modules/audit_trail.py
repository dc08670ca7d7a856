#!/usr/bin/python
"""Ansible module: adds one line to the audit trail of a host, or reads the last ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.messenger.kit.plugins.module_utils.audit import FIELDS, add, clean

DOCUMENTATION = r"""
module: audit_trail
short_description: The audit trail of a host
description:
  - Adds one event as one line of JSON, or reads the last lines. Lines are only ever added, each with one write, so that
    several runs may add at once. Nothing rotates the file.
  - Owner root, the group of its directory, mode 0640. Passwords in URLs are left out.
  - What cannot be written is a warning, for an operation that worked does not fail because of its note. Where the
    directory is missing there is no application yet, and nothing is written. Check mode writes nothing.
options:
  path: {description: The file., type: path, required: true}
  what: {description: "What was done, e.g. C(deploy). Without it the file is only read.", type: str}
  who: {description: "The operator, as user@controller.", type: str, default: ""}
  release: {description: The release it was done with., type: str, default: ""}
  from: {description: The release that was live before., type: str, default: ""}
  outcome: {description: How it ended., type: str, default: ok}
  reason: {description: "Why, or why it failed.", type: str, default: ""}
  last: {description: How many of the last events to return., type: int, default: 0}
author: The messenger-kit authors (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Record a deploy
  messenger.kit.audit_trail:
    path: /srv/sms/shared/log/audit.log
    what: deploy
    who: anna@controller
    release: 20260101T120000Z-0a1b2c3d

- name: Read the last ten events
  messenger.kit.audit_trail:
    path: /srv/sms/shared/log/audit.log
    last: 10
  register: trail
"""

RETURN = r"""
events:
  description: The last events, the oldest first.
  returned: always
  type: list
  elements: dict
"""


def read(file: Path, last: int) -> list[dict[str, Any]]:
    """The LAST events in FILE, the oldest first. What is no event is skipped."""
    events: list[dict[str, Any]] = []
    if last < 1 or not file.exists():
        return events
    for line in reversed(file.read_text(errors="replace").splitlines()):
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            events.insert(0, {name: clean(str(event.get(name, ""))) for name in ("time", *FIELDS)})
        if len(events) == last:
            break
    return events


def main() -> None:
    """Add what is asked for, and report."""
    texts = {name: {"type": "str", "default": "ok" if name == "outcome" else ""} for name in FIELDS}
    module = AnsibleModule(
        argument_spec={"path": {"type": "path", "required": True}, "last": {"type": "int", "default": 0}, **texts},
        supports_check_mode=True,
    )
    file = Path(module.params["path"])
    adds = bool(module.params["what"]) and file.parent.is_dir()
    events: list[dict[str, Any]] = []
    try:
        if adds and not module.check_mode:
            add(file, module.params)
        events = read(file, module.params["last"])
    except OSError as error:
        module.warn(f"the audit trail {file} cannot be used: {error}")
        adds = False
    module.exit_json(changed=adds, events=events)


if __name__ == "__main__":
    main()
