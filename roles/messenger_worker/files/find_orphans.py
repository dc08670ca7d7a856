"""Print as JSON the pids of the workers of an application that no Supervisor has: python - ROOT

Whoever started them by hand, or a supervisord that was killed and is not there any more. What a worker has started
itself is none.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def command(process: Path) -> list[str]:
    """The words of its command line; none when it has gone."""
    try:
        return os.fsdecode((process / "cmdline").read_bytes()).split("\0")
    except OSError:
        return []


def is_worker(words: list[str], root: str) -> bool:
    """Whether it is `ROOT/…/venv/bin/messenger consume`, which an interpreter runs."""
    return words[2:3] == ["consume"] and words[1].startswith(f"{root}/") and words[1].endswith("/venv/bin/messenger")


def parent(process: Path) -> Path:
    """Who started it; the first process when that one has ended."""
    return process.parent / (process / "stat").read_text().rpartition(")")[2].split()[1]


def orphans(root: str, proc: Path = Path("/proc")) -> list[int]:
    """Those that run now."""
    found = []
    for process in proc.iterdir():
        if process.name.isdigit() and is_worker(command(process), root):
            try:
                started_by = command(parent(process))
            except OSError:  # gone meanwhile
                continue
            supervised = any(word.endswith("/supervisord") for word in started_by[:2])
            if not supervised and not is_worker(started_by, root):
                found.append(int(process.name))
    return sorted(found)


if __name__ == "__main__":
    print(json.dumps(orphans(sys.argv[1])))
