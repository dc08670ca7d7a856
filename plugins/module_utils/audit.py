"""The audit trail of a host: how the role's modules add a line to it."""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
from pathlib import Path
from typing import Any

from ansible_collections.messenger.kit.plugins.module_utils.text import printable

LONGEST = 1000
FIELDS = ("who", "what", "release", "from", "outcome", "reason")


def clean(value: str) -> str:
    """VALUE in one printable line, not longer than anyone reads, and without the login of a URL."""
    return printable(re.sub(r"://\S*@", "://***@", " ".join(value.split())), LONGEST)


def add(file: Path, event: dict[str, Any]) -> None:
    """Add EVENT as one line, with one write. A line that an earlier write left unfinished stays a line of its own."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    line = json.dumps({"time": now, **{field: clean(str(event.get(field) or "")) for field in FIELDS}}).encode() + b"\n"
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
