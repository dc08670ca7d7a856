"""Eight hex digits that stand for the content of files and directories.

What never reaches a host is left out: hidden files, caches, build output, and `var`, where an application that is
tried out on the developer's machine keeps its state.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

LEFT_OUT = {"__pycache__", "build", "dist", "var", "node_modules"}


def shipped(root: Path) -> Iterator[Path]:
    """The files below ROOT that count, in a fixed order."""
    if root.is_file():
        yield root
        return
    for entry in sorted(root.iterdir()):
        if entry.name.startswith(".") or entry.name in LEFT_OUT or entry.suffix in {".pyc", ".egg-info"}:
            continue
        if entry.is_dir():
            yield from shipped(entry)
        elif entry.is_file():
            yield entry


def fingerprint(roots: list[Path]) -> str:
    """Digest of names and content, so that a renamed file counts as a change too."""
    digest = hashlib.sha256()
    for root in roots:
        for file in shipped(root):
            name = file.relative_to(root).as_posix().encode()
            content = file.read_bytes()
            digest.update(b"%d %s %d\n" % (len(name), name, len(content)))
            digest.update(content)
    return digest.hexdigest()[:8]
