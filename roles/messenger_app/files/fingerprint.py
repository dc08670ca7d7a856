"""Digest of what a release ships: the content of its wheels and the files beside them, and nothing else."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path


def members(file: Path) -> Iterator[tuple[str, bytes]]:
    """Yield names and contents of what FILE ships; a wheel ships its members, except the list of them (RECORD).

    Order, times and compression of a wheel are left out, so that two builds of one source are the same.
    """
    if file.suffix != ".whl":
        yield "", file.read_bytes()
        return
    with zipfile.ZipFile(file) as wheel:
        for info in sorted(wheel.infolist(), key=lambda info: info.filename):
            if not info.is_dir() and not re.fullmatch(r"[^/]+\.dist-info/RECORD", info.filename):
                runs = "x" if info.external_attr >> 16 & 0o111 else "-"
                yield f"{runs} {info.filename}", wheel.read(info)


def fingerprint(files: Iterable[tuple[str, Path]]) -> str:
    """Return 64 hex digits (SHA-256) for FILES: the name that each has in the release, and where it is."""
    digest = hashlib.sha256()
    for name, file in sorted(files):
        for member, content in members(file):
            head = f"{name}\0{member}".encode()
            digest.update(b"%d %d\n%s%s" % (len(head), len(content), head, content))
    return digest.hexdigest()
