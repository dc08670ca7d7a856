#!/usr/bin/python3
"""Ansible module: empties the directory that the application's user may write to, whatever is in it."""

from __future__ import annotations

import os
import pwd
import secrets
import signal
import time
from contextlib import suppress
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.messenger_text import printable

DOCUMENTATION = r"""
module: messenger_app_remove
short_description: Empties the directory of the application's user
description:
  - Deletes what is in C(shared/var). Takes every directory away from the user before it looks into it, follows no link,
    opens nothing but directories, and moves what lies deep to the top, so that neither names nor depth can hold it up.
  - With C(end_processes) first ends what still runs as that user, unless Supervisor runs something as it, which belongs
    to another application.
options:
  root: {description: The application's directory., type: path, required: true}
  user: {description: "The application's user.", type: str, required: true}
  end_processes: {description: Whether to end the processes of the user., type: bool, default: false}
author: messenger-kit
"""

RETURN = r"""
ended: {description: How many processes were ended., returned: success, type: int}
"""

SECONDS = 120
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Refused(Exception):
    """What could not be done, for people."""


def open_var(root: Path) -> int | None:
    """A descriptor of shared/var; root owns what is above it."""
    try:
        above = os.open(root / "shared", DIRECTORY)
    except FileNotFoundError:
        return None
    try:
        return os.open("var", DIRECTORY, dir_fd=above)
    except FileNotFoundError:
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


def processes_of(uid: int) -> dict[int, int]:
    """The processes that run as UID, each with its parent."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                rows = dict(line.split(":", 1) for line in (entry / "status").read_text().splitlines() if ":" in line)
                if str(uid) in rows["Uid"].split() and rows["State"].split()[0] != "Z":
                    found[int(entry.name)] = int(rows["PPid"])
    return found


def is_supervisord(pid: int) -> bool:
    """Whether PID is a supervisord."""
    with suppress(OSError):
        return any(
            word.endswith(b"/supervisord") for word in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:2]
        )
    return False


def end_processes(user: str, deadline: float) -> int:
    """Kill what runs as USER; how many there were."""
    try:
        uid = pwd.getpwnam(user).pw_uid
    except KeyError:
        return 0
    ended: set[int] = set()
    if uid == 0 or any(is_supervisord(parent) for parent in processes_of(uid).values()):
        return 0
    while left := processes_of(uid):
        if time.monotonic() > deadline:
            raise Refused(f"processes of {user} do not end: {', '.join(map(str, sorted(left)))}")
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        ended |= set(left)
        time.sleep(0.05)
    return len(ended)


def main() -> None:
    """Delete."""
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            "user": {"type": "str", "required": True},
            "end_processes": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    asked = module.params
    ended, deadline = 0, time.monotonic() + SECONDS
    var = open_var(Path(asked["root"]))
    if module.check_mode:
        module.exit_json(changed=bool(var is not None and os.listdir(var)), ended=0)
    try:
        if asked["end_processes"]:
            ended = end_processes(asked["user"], deadline)
        there = var is not None and bool(os.listdir(var))
        if var is not None:
            empty(var, deadline)
    except (Refused, OSError) as error:
        module.fail_json(msg=printable(f"{asked['root']}/shared/var cannot be emptied: {error}"))
    module.exit_json(changed=there or ended > 0, ended=ended)


if __name__ == "__main__":
    main()
