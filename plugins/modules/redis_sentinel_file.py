#!/usr/bin/python3
"""Ansible module: the settings of a Sentinel, beside what it writes into the same file itself."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: redis_sentinel_file
short_description: Write a Sentinel's file and keep what Sentinel knows
description:
  - Sentinel writes into its configuration file who is master, and which replicas and other Sentinels there are. That is
    kept; the file counts as right when all of O(settings) are in it and nothing contradicts them.
  - Sentinel must be stopped before the file is written, or it writes over it.
options:
  path:
    description: Its file.
    type: path
    required: true
  settings:
    description: Its settings, one directive a line, with passwords.
    type: str
    required: true
  name:
    description: The name of the set it watches. It watches no other.
    type: str
    required: true
  master:
    description: Address and port of the master, for a Sentinel that knows none.
    type: str
    required: true
  quorum:
    description: How many Sentinels must miss the master before it is replaced.
    type: int
    required: true
author: messenger-kit
"""

RETURN = r"""
differs:
  description: Whether the file is, or was, other than it should be.
  returned: success
  type: bool
"""

Line = tuple[str, ...]
# What Sentinel finds out by itself.
KNOWN = ("myid", "current-epoch", "config-epoch", "leader-epoch", "known-replica", "known-sentinel", "monitor")
# These depend on how the init system starts it.
STARTED = ("daemonize", "supervised", "pidfile")
# Sentinel leaves these out when they are as here.
DEFAULTS = {("sentinel", "down-after-milliseconds"): "30000", ("sentinel", "failover-timeout"): "180000"}


def parse(text: str) -> list[Line]:
    """Its directives, each as its words."""
    lines = (line.strip() for line in text.splitlines())
    return [tuple(shlex.split(line)) for line in lines if line and not line.startswith("#")]


def key(line: Line, name: str) -> Line:
    """What a directive sets: `port`, `sentinel announce-ip`, `sentinel auth-pass messenger`."""
    if line[0].lower() != "sentinel":
        return (line[0].lower(),)
    return line[:3] if len(line) > 3 and line[2] == name else line[:2]


def wanted(text: str, settings: str, name: str, master: str, quorum: int) -> str:
    """What the file should be: `text` itself when it is right."""
    there, asked = parse(text), parse(settings)
    monitors = [line for line in there if line[:2] == ("sentinel", "monitor")]
    at = next((line[3:5] for line in monitors if line[2] == name), tuple(master.rsplit(" ", 1)))
    monitor = ("sentinel", "monitor", name, *at, str(quorum))
    compared = {key(line, name): line for line in asked if line[0] not in STARTED}
    ours = compared.keys() | {key(line, name) for line in there if line[0].startswith("tls-")}
    left_out = {(*words, name): (*words, name, value) for words, value in DEFAULTS.items()} if there else {}
    found = left_out | {key(line, name): line for line in there if key(line, name) in ours}
    if found == compared and monitors == [monitor]:
        return text
    kept = [
        line
        for line in there
        if line[0] == "sentinel" and line[1] in KNOWN[:2] or line[1:3] in [(word, name) for word in KNOWN[2:-1]]
    ]
    return "\n".join([settings.strip(), *(" ".join(line) for line in [monitor, *kept])]) + "\n"


def write(path: Path, text: str) -> None:
    """Write it in one step. It holds passwords."""
    scratch = path.with_name(f".{path.name}.kit")
    scratch.write_text(text)
    shutil.chown(scratch, "redis", "redis")
    scratch.chmod(0o640)
    scratch.replace(path)


def main() -> None:
    """Compare, and write in one step."""
    text = {"type": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "settings": {**text, "no_log": True},
            "name": text,
            "master": text,
            "quorum": {"type": "int", "required": True},
        },
        supports_check_mode=True,
    )
    asked, path = module.params, Path(module.params["path"])
    os.umask(0o077)
    try:
        there = path.read_text() if path.exists() else ""
        new = wanted(there, asked["settings"], asked["name"], asked["master"], asked["quorum"])
        if new != there and not module.check_mode:
            write(path, new)
    except (OSError, ValueError, LookupError) as error:
        module.fail_json(msg=f"cannot write {path}: {error}")
    module.exit_json(changed=new != there, differs=new != there)


if __name__ == "__main__":
    main()
