"""Print as JSON what a deploy needs to know of this host: python - QUESTION, which is JSON as well.

The question names `asked_at` (it comes back as it was given; `time` is this host's), `root`, `user`, `package`,
`addresses` (HOST[:PORT]) and `paths`. In the answer `refused` says which of the addresses cannot be reached, and why;
`free_inodes` is null where the file system has no fixed number of them; `group` is the id of the user's group, null where
there is no such user; and `seen` has what is at those of the paths that are there.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import pwd
import re
import socket
import stat
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

SECONDS = 3


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


def markers() -> dict[str, str]:
    """What the conditions in a lock file are judged by."""
    release = sys.implementation.version
    return {
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
    }


def main(question: dict[str, Any]) -> None:
    root = Path(question["root"])
    existing = next(path for path in (root, *root.parents) if path.exists())
    disk = os.statvfs(existing)
    document = {
        "asked_at": question["asked_at"],
        "time": time.time(),
        "python": ".".join(map(str, sys.version_info[:2])),
        "soabi": sysconfig.get_config_var("SOABI"),
        "libc": os.confstr("CS_GNU_LIBC_VERSION") or "",
        "markers": markers(),
        "directory": str(existing),
        "free_megabytes": disk.f_bavail * disk.f_frsize // 2**20,
        "free_inodes": disk.f_favail if disk.f_files else None,
        "refused": refused(question["addresses"]),
        "group": group(question["user"]),
        "package": installed(question["package"]),
        "seen": [row for row in map(seen, question["paths"]) if row],
    }
    print(json.dumps(document))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
