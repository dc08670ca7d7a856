"""Print what is on this host as JSON: path -> type, owner, group, mode, and a digest of the content.

Left out: what the application's user may write, and what changes by itself or by a deploy. Nothing special is opened.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat

LEFT_OUT = {
    "/proc", "/sys", "/dev", "/run", "/tmp", "/var/tmp", "/var/log", "/var/cache", "/var/lib/redis", "/var/lib/apt",
    "/var/lib/dpkg", "/var/lib/messenger-kit", "/srv/sms", "/home/deploy/.ansible", "/root/.ansible",
}  # fmt: skip
CHANGING = {"/etc/ld.so.cache", "/root/before.json", "/etc/supervisor/conf.d"}


def described(path: str) -> list[object]:
    found = os.lstat(path)
    row: list[object] = [stat.S_IFMT(found.st_mode), found.st_uid, found.st_gid, oct(stat.S_IMODE(found.st_mode))]
    if stat.S_ISREG(found.st_mode):
        with open(path, "rb") as file:
            row.append(hashlib.file_digest(file, "sha256").hexdigest())
    elif stat.S_ISLNK(found.st_mode):
        row.append(os.readlink(path))
    return row


def snapshot() -> dict[str, list[object]]:
    found = {}
    for directory, directories, files in os.walk("/"):
        directories[:] = [
            name for name in directories if os.path.join(directory, name) not in LEFT_OUT and name != "__pycache__"
        ]
        for path in (os.path.join(directory, name) for name in [*directories, *files]):
            if path not in CHANGING:
                found[path] = described(path)
    return found


if __name__ == "__main__":
    print(json.dumps(snapshot(), indent=0))
