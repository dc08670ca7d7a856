"""Files that a script makes: they are compared with what it would make now, or written."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path


def main(script: str, usage: str | None, files: Callable[[], Mapping[Path, str]]) -> int:
    """Say which files of docs/ are not up to date, or write them with --write. The exit code.

    script: its path, for who must run it. files: each file and its text as it should be.
    """
    write = sys.argv[1:] == ["--write"]
    if sys.argv[1:] and not write:
        print(usage, file=sys.stderr)
        return 64
    stale = {
        path: text for path, text in files().items() if not path.exists() or path.read_text(encoding="utf-8") != text
    }
    for path, text in stale.items():
        if write:
            path.write_text(text, encoding="utf-8")
        print(f"docs/{path.name} {'written' if write else f'is not up to date: run {script} --write'}")
    return 1 if stale and not write else 0
