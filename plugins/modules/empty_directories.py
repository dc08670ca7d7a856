#!/usr/bin/python
"""Ansible module: empties the directory that the application's user may write to, whatever is in it."""

from __future__ import annotations

import os
import secrets
import time
from contextlib import suppress
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.messenger.kit.plugins.module_utils.process import User, is_process_of, kill_all_of
from ansible_collections.messenger.kit.plugins.module_utils.text import printable

DOCUMENTATION = r"""
module: empty_directories
short_description: Empties the directories of the application's user
description:
  - Deletes what is in directories where that user may write. Takes each away from the user before it looks into it,
    follows no link, opens nothing but directories, and moves what lies deep to the top, so that neither names nor depth
    can hold it up.
  - With C(end_processes) first ends what still runs as that user, unless Supervisor runs something as it, which belongs
    to another application.
options:
  directories: {description: The directories., type: list, elements: path, required: true}
  end_processes: {description: Whether to end the processes of the user., type: bool, default: false}
extends_documentation_fragment: [messenger.kit.application.user]
author: The messenger-kit authors (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Delete what the application wrote
  messenger.kit.empty_directories:
    directories: [/srv/sms/shared/var]
    user: sms
    end_processes: true
"""

RETURN = r"""
ended: {description: "Whether the user's processes were ended.", returned: success, type: bool}
"""

SECONDS = 120
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Refused(Exception):
    """What could not be done, for people."""


def opened(path: str) -> int | None:
    """A descriptor of a directory whose parents only root changes; None where there is none, or something else."""
    try:
        above = os.open(os.path.dirname(path), DIRECTORY)
    except OSError:
        return None
    try:
        return os.open(os.path.basename(path), DIRECTORY, dir_fd=above)
    except OSError:
        return None
    finally:
        os.close(above)


def claim(directory: int) -> None:
    """From now on only root, who runs this, changes what is in it."""
    os.fchown(directory, os.geteuid(), os.getegid())
    os.fchmod(directory, 0o700)


def unlink(name: str, directory: int) -> None:
    """Delete NAME, unless it is a directory or has gone."""
    with suppress(FileNotFoundError, IsADirectoryError):
        os.unlink(name, dir_fd=directory)


def empty(top: int, deadline: float) -> None:
    """Delete everything below a directory. The directories in it become empty, one by one, by moving theirs to TOP."""
    claim(top)
    moved, token = 0, secrets.token_hex(8)  # the user cannot have a file of this name there
    while names := os.listdir(top):
        for name in names:
            if time.monotonic() > deadline:
                raise Refused(f"it was not empty after {SECONDS} s")
            try:
                inner = os.open(name, DIRECTORY, dir_fd=top)
            except OSError:  # no directory
                unlink(name, top)
                continue
            try:
                claim(inner)
                for each in os.listdir(inner):
                    unlink(each, inner)
                for each in os.listdir(inner):
                    moved += 1
                    os.rename(each, f"{token}-{moved}", src_dir_fd=inner, dst_dir_fd=top)
            finally:
                os.close(inner)
            os.rmdir(name, dir_fd=top)


def is_supervised(user: User) -> bool:
    """Whether a supervisord runs something as USER."""
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and is_process_of(entry, user) and is_supervisord(parent(entry)):
                return True
    return False


def parent(process: Path) -> Path:
    """The process that started PROCESS."""
    return process.parent / (process / "stat").read_text(errors="replace").rpartition(")")[2].split()[1]


def is_supervisord(process: Path) -> bool:
    """Whether PROCESS is a supervisord."""
    return any(word.endswith(b"/supervisord") for word in (process / "cmdline").read_bytes().split(b"\0")[:2])


def end_processes(name: str) -> bool:
    """Kill what runs as the user NAME, unless it is supervised; whether it was killed."""
    try:
        user = User.named(name)
    except LookupError:
        return False
    if is_supervised(user):
        return False
    kill_all_of(user)
    return True


def main() -> None:
    """Delete."""
    module = AnsibleModule(
        argument_spec={
            "directories": {"type": "list", "elements": "path", "required": True},
            "user": {"type": "str", "required": True},
            "end_processes": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    asked = module.params
    ended, deadline = False, time.monotonic() + SECONDS
    there = {path: descriptor for path in asked["directories"] if (descriptor := opened(path)) is not None}
    filled = any(os.listdir(descriptor) for descriptor in there.values())
    if module.check_mode:
        module.exit_json(changed=filled, ended=False)
    try:
        if asked["end_processes"]:
            ended = end_processes(asked["user"])
        for descriptor in there.values():
            empty(descriptor, deadline)
    except (Refused, OSError) as error:
        module.fail_json(msg=printable(f"{', '.join(there)} cannot be emptied: {error}"))
    module.exit_json(changed=filled, ended=ended)


if __name__ == "__main__":
    main()
