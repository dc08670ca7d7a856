#!/usr/bin/python
"""Ansible module: what a deploy needs to know of a host, in one look."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import re
import socket
import stat
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.messenger.kit.plugins.module_utils.releases import live, releases, whole_environments

DOCUMENTATION = r"""
module: host_info
short_description: What a deploy needs to know of a host
description:
  - One look instead of a task for each question. Changes nothing, and fails at nothing that is missing.
options:
  asked_at: {description: Seconds since 1970 on the controller; it comes back as given., type: float, required: true}
  builder: {description: The user that unpacks packages., type: str, required: true}
  package: {description: A Debian package., type: str, required: true}
  python: {description: The Python that releases are made with., type: path, required: true}
  addresses: {description: "What must be reachable, as HOST[:PORT].", type: list, elements: str, default: []}
  paths: {description: What to look at., type: list, elements: path, default: []}
  writable: {description: Directories that the application may write to., type: list, elements: path, default: []}
extends_documentation_fragment: [messenger.kit.application, messenger.kit.application.user]
author: The messenger-kit authors (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Read what a deploy needs to know of the host
  messenger.kit.host_info:
    asked_at: "{{ now(utc=true).timestamp() }}"
    root: /srv/sms
    user: sms
    builder: sms-build
    package: python3-venv
    python: /usr/bin/python3
    addresses: ["127.0.0.1:6379"]
  register: host
"""

RETURN = r"""
time: {description: Seconds since 1970 on the host., returned: always, type: float}
python: {description: "Version of C(python), such as C(3.11).", returned: when it runs, type: str}
python_said: {description: Why it does not run., returned: when it does not, type: str}
soabi: {description: What its compiled modules are for., returned: when it runs, type: str}
libc: {description: Name and version of the C library., returned: when it runs, type: str}
markers: {description: What the conditions in a lock file are judged by., returned: when it runs, type: dict}
directory: {description: "C(root), or what there is of its path.", returned: always, type: str}
free_megabytes: {description: On its disk., returned: always, type: int}
free_inodes: {description: On its disk; null where there is no fixed number of them., returned: always, type: int}
refused: {description: Which of the addresses cannot be reached, and why., returned: always, type: dict}
group: {description: Id of the user's group; null where there is no such user., returned: always, type: str}
builder: {description: Whether the user that unpacks packages is there., returned: always, type: bool}
exposed:
  description: Directories on the way to C(root), to C(writable) and to C(python) that others than root may change.
  returned: always
  type: list
hidden:
  description: Directories on the way to C(root) and to C(python) that the user may not enter.
  returned: always
  type: list
disk_refuses: {description: "What the disk of C(root) is mounted with that no release can live with: C(noexec), C(ro).",
               returned: always, type: list}
package: {description: Whether the package is installed., returned: always, type: bool}
seen: {description: What is at those of C(paths) that are there., returned: always, type: list}
releases: {description: "C(current), C(releases) and C(environments), as M(messenger.kit.releases) says.",
           returned: always, type: dict}
"""

INTERPRETER = """
import json, os, platform, sys, sysconfig
release = sys.implementation.version
print(json.dumps({
    "python": ".".join(map(str, sys.version_info[:2])),
    "soabi": sysconfig.get_config_var("SOABI"),
    "libc": os.confstr("CS_GNU_LIBC_VERSION") or "",
    "markers": {
        "implementation_name": sys.implementation.name,
        "implementation_version": ".".join(map(str, release[:3])),
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_release": platform.release(),
        "platform_system": platform.system(),
        "platform_version": platform.version(),
        "python_full_version": platform.python_version(),
        "python_version": ".".join(map(str, sys.version_info[:2])),
        "sys_platform": sys.platform,
    },
}))
"""
SECONDS = 3
MOST_LINKS = 40  # as the kernel follows


def refused(addresses: Iterable[str]) -> dict[str, str]:
    """Those that take no connection."""
    found = {}
    for address in addresses:
        host, port = re.fullmatch(r"(.*?)(?::(\d+))?", address).groups()
        try:
            socket.create_connection((host.strip("[]"), int(port or 6379)), SECONDS).close()
        except OSError as error:
            found[address] = error.strerror or str(error)
    return found


def group(user: str) -> str | None:
    """The id of the user's group."""
    try:
        return str(pwd.getpwnam(user).pw_gid)
    except KeyError:
        return None


def installed(package: str) -> bool:
    """Whether the Debian package is there."""
    command = ["dpkg-query", "--show", "--showformat", "${db:Status-Status}", package]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout == "installed"


def seen(path: str) -> dict[str, Any] | None:
    """What is there, in the words of Ansible's modules; for a file also what it holds, for a link where it leads."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    if stat.S_ISLNK(found.st_mode):
        return {"path": path, "target": os.readlink(path)}
    row: dict[str, Any] = {"path": path, "mode": f"{stat.S_IMODE(found.st_mode):04o}", "group": str(found.st_gid)}
    try:
        row["owner"] = pwd.getpwuid(found.st_uid).pw_name
    except KeyError:
        row["owner"] = str(found.st_uid)
    if stat.S_ISREG(found.st_mode):
        row["sha256"] = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    return row


def way(path: str) -> set[Path]:
    """PATH, and every directory that is passed on the way to it and to where its links lead."""
    passed, here, rest, links = set(), Path("/"), list(Path(path).parts[1:]), MOST_LINKS
    while rest:
        passed.add(here)
        part = rest.pop(0)
        there = here.parent if part == ".." else here / part
        if there.is_symlink() and links:
            links -= 1
            target = Path(os.readlink(there))
            here = Path("/") if target.is_absolute() else here
            rest = [*(each for each in target.parts if each != "/"), *rest]
        else:
            here = there
    return {*passed, here}


def exposed(paths: Iterable[str]) -> list[str]:
    """What others than root may change of PATHS and of the directories on the way to them, links followed."""
    return sorted(str(path) for path in {each for path in paths for each in way(path)} if changeable(path))


def changeable(path: Path) -> bool:
    """Whether others than root may change PATH. A sticky directory is no better: there they make what is missing."""
    try:
        found = path.stat()
    except OSError:
        return False
    return found.st_uid not in (0, os.geteuid()) or bool(found.st_mode & 0o022)


def hidden(paths: Iterable[str], user: str) -> list[str]:
    """The directories on the way to PATHS, links followed, that USER may not enter; not those with an ACL."""
    try:
        entry = pwd.getpwnam(user)
        uid, groups = entry.pw_uid, os.getgrouplist(user, entry.pw_gid)
    except KeyError:
        uid, groups = -1, []
    return sorted(str(path) for path in {each for path in paths for each in way(path)} if shut(path, uid, groups))


def shut(path: Path, uid: int, groups: Sequence[int]) -> bool:
    """Whether a user may not enter directory PATH."""
    try:
        found, more = path.stat(), os.listxattr(path)
    except OSError:  # it is not there yet
        return False
    if not stat.S_ISDIR(found.st_mode):
        return False
    bit = stat.S_IXUSR if found.st_uid == uid else stat.S_IXGRP if found.st_gid in groups else stat.S_IXOTH
    return not found.st_mode & bit and "system.posix_acl_access" not in more


def interpreter(python: str) -> dict[str, Any]:
    """What PYTHON says of itself."""
    try:
        ran = subprocess.run(
            [python, "-I", "-"], input=INTERPRETER, capture_output=True, text=True, check=False, cwd="/", timeout=30
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"python_said": getattr(error, "strerror", None) or str(error)}
    if ran.returncode != 0:
        return {"python_said": (ran.stderr.strip().splitlines() or [f"exit code {ran.returncode}"])[-1]}
    said: dict[str, Any] = json.loads(ran.stdout)
    return said


def look(asked: dict[str, Any]) -> dict[str, Any]:
    """The answer of the module."""
    root = Path(asked["root"])
    existing = next(path for path in (root, *root.parents) if path.exists())
    disk = os.statvfs(existing)
    current = live(root)
    return {
        "asked_at": asked["asked_at"],
        "time": time.time(),
        **interpreter(asked["python"]),
        "directory": str(existing),
        "free_megabytes": disk.f_bavail * disk.f_frsize // 2**20,
        "free_inodes": disk.f_favail if disk.f_files else None,
        "refused": refused(asked["addresses"]),
        "group": group(asked["user"]),
        "builder": group(asked["builder"]) is not None,
        "exposed": exposed([asked["root"], asked["python"], *map(os.path.dirname, asked["writable"])]),
        "hidden": hidden([str(existing / "x"), asked["python"]], asked["user"]),
        "disk_refuses": [word for word, flag in (("noexec", os.ST_NOEXEC), ("ro", os.ST_RDONLY)) if disk.f_flag & flag],
        "package": installed(asked["package"]),
        "seen": [row for row in map(seen, asked["paths"]) if row],
        "releases": {
            "current": current,
            "releases": releases(root, current),
            "environments": whole_environments(root),
        },
    }


def main() -> None:
    """Look."""
    module = AnsibleModule(
        argument_spec={
            "asked_at": {"type": "float", "required": True},
            "root": {"type": "path", "required": True},
            "user": {"type": "str", "required": True},
            "builder": {"type": "str", "required": True},
            "package": {"type": "str", "required": True},
            "python": {"type": "path", "required": True},
            "addresses": {"type": "list", "elements": "str", "default": []},
            "paths": {"type": "list", "elements": "path", "default": []},
            "writable": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, **look(module.params))


if __name__ == "__main__":
    main()
