#!/usr/bin/python
"""Ansible module: the stopped Redis of this host will begin with a dump, and what it held is kept beside it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: redis_restore
short_description: Change the data of a stopped Redis, and back
description:
  - Moves append-only files and dump into O(aside), and makes O(dump) the base of a new append-only file, so that Redis
    reads it at its start. With O(back) what is in O(aside) takes its place again.
  - May be cut off and run again. What is in O(aside) is never written over.
options:
  directory:
    description: The directory of its data.
    type: path
    default: /var/lib/redis
  aside:
    description: The name of the directory in it for what it held.
    type: str
    required: true
  dump:
    description: The name of the dump in the directory.
    type: str
  back:
    description: Undo it.
    type: bool
    default: false
author: The messenger-kit authors (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Put a dump in place of the data
  messenger.kit.redis_restore:
    directory: /var/lib/redis
    dump: restore-20260101.rdb
    aside: before-20260101

- name: Go back to the data from before
  messenger.kit.redis_restore:
    directory: /var/lib/redis
    aside: before-20260101
    back: true
"""

RETURN = r"""
# Nothing beside what every module returns.
"""

AOF, DUMP = "appendonlydir", "dump.rdb"
BASE = "appendonly.aof.1.base.rdb"
MANIFEST = f"file {BASE} seq 1 type b\n"


def put_aside(directory: Path, aside: Path) -> None:
    """What it held, unless that was done before."""
    done = aside / "complete"
    if done.exists():
        return
    aside.mkdir(mode=0o700, exist_ok=True)
    for name in (AOF, DUMP):
        if (directory / name).exists() and not (aside / name).exists():
            (directory / name).rename(aside / name)
    done.touch()


def place(directory: Path, dump: Path) -> None:
    """The dump as the base of an append-only file that is complete from its first moment on."""
    ready, there = directory / f"{AOF}.next", directory / AOF
    for old in (ready, there):
        shutil.rmtree(old, ignore_errors=True)
    ready.mkdir(mode=0o700)
    shutil.copyfile(dump, ready / BASE)
    (ready / "appendonly.aof.manifest").write_text(MANIFEST)
    for path in (ready, *ready.iterdir()):
        shutil.chown(path, "redis", "redis")
        path.chmod(0o750 if path == ready else 0o640)
    (directory / DUMP).unlink(missing_ok=True)
    ready.rename(there)


def put_back(directory: Path, aside: Path) -> None:
    """What it held before."""
    for name in (AOF, DUMP):
        if not (aside / name).exists():
            continue
        if (directory / name).is_dir():
            shutil.rmtree(directory / name)
        (aside / name).rename(directory / name)
    (aside / "complete").unlink(missing_ok=True)
    if aside.exists():
        aside.rmdir()


def main() -> None:
    """Change, or undo it."""
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "default": "/var/lib/redis"},
            "aside": {"type": "str", "required": True},
            "dump": {"type": "str"},
            "back": {"type": "bool", "default": False},
        },
    )
    directory = Path(module.params["directory"])
    aside = directory / module.params["aside"]
    os.umask(0o027)
    try:
        if module.params["back"]:
            put_back(directory, aside)
        else:
            put_aside(directory, aside)
            place(directory, directory / module.params["dump"])
    except OSError as error:
        module.fail_json(msg=f"data of Redis in {directory}: {error}")
    module.exit_json(changed=True)


if __name__ == "__main__":
    main()
