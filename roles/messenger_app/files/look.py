"""Print as JSON what a release needs to know of this host: python - ASKED_AT DIRECTORY [HOST[:PORT]…]

ASKED_AT comes back as it was given; `time` is this host's. `refused` says which of the addresses cannot be reached, and
why. `free_inodes` is null where the file system has no fixed number of them.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import time
from collections.abc import Iterable
from pathlib import Path

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


def main(asked_at: str, directory: str, *addresses: str) -> None:
    wanted = Path(directory)
    existing = next(path for path in (wanted, *wanted.parents) if path.exists())
    disk = os.statvfs(existing)
    document = {
        "asked_at": float(asked_at),
        "time": time.time(),
        "python": ".".join(map(str, sys.version_info[:2])),
        "directory": str(existing),
        "free_megabytes": disk.f_bavail * disk.f_frsize // 2**20,
        "free_inodes": disk.f_favail if disk.f_files else None,
        "refused": refused(addresses),
    }
    print(json.dumps(document))


if __name__ == "__main__":
    main(*sys.argv[1:])
