"""Copy each SQLite store of a directory, as it is at one moment, and print as JSON what was copied.

python - FROM TO OWNER: to files NAME in TO that only OWNER reads.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

HEADER = b"SQLite format 3\0"


def is_store(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(HEADER)) == HEADER


def copy(store: Path, to: Path) -> dict[str, object]:
    """A whole copy, also while workers write to it. What is in its journal is in the copy, too."""
    with (
        closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=30)) as source,
        closing(sqlite3.connect(to)) as target,
    ):
        source.backup(target)
        target.execute("PRAGMA journal_mode=DELETE")
        (answer,) = target.execute("PRAGMA integrity_check").fetchone()
    if answer != "ok":
        sys.exit(f"{store} is damaged: {answer}")
    return {"store": store.name, "sha256": hashlib.sha256(to.read_bytes()).hexdigest()}


def main(directory: str, to: str, owner: str) -> None:
    os.umask(0o077)
    found = []
    for store in sorted(filter(is_store, Path(directory).iterdir())):
        found.append(copy(store, Path(to, store.name)))
        shutil.chown(Path(to, store.name), owner)
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
