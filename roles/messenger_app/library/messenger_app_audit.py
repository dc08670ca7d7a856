#!/usr/bin/python3
"""Ansible module: adds one line to the audit trail of a host, or reads the last ones."""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: messenger_app_audit
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
author: messenger-kit
"""

RETURN = r"""
events:
  description: The last events, the oldest first.
  returned: always
  type: list
  elements: dict
"""

LONGEST = 1000
FIELDS = ("who", "what", "release", "from", "outcome", "reason")


def clean(value: str) -> str:
    """VALUE in one line, not longer than anyone reads, and without the login of a URL."""
    return re.sub(r"://\S*@", "://***@", " ".join(value.split()))[:LONGEST]


def add(file: Path, event: dict[str, Any]) -> None:
    """Add EVENT as one line, with one write. A line that an earlier write left unfinished stays a line of its own."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    line = json.dumps({"time": now, **{field: clean(event[field] or "") for field in FIELDS}}).encode() + b"\n"
    descriptor = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        size = os.fstat(descriptor).st_size
        if size == 0:
            os.fchmod(descriptor, 0o640)
            os.fchown(descriptor, -1, file.parent.stat().st_gid)
        elif os.pread(descriptor, 1, size - 1) != b"\n":
            line = b"\n" + line
        if os.write(descriptor, line) != len(line):
            raise OSError("the disk is full")
    finally:
        os.close(descriptor)


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
            events.insert(0, {"time": "", **dict.fromkeys(FIELDS, ""), **event})
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
