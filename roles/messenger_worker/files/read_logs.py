"""Print as JSON the last lines of the workers' logs of this host: python - DIRECTORY LINES [POOL]

Also of those that finish their message in the background: DIRECTORY/detached.

{"pools": [names], "logs": [processes], "lines": [[seconds since 1970, process, text], …]}, oldest first.
"""

from __future__ import annotations

import json
import re
import sys
from collections import deque
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

NAME = re.compile(r"(?P<process>(?P<pool>.+)[_-]\d+)\.log")
Line = tuple[float, str, str]


def moment(text: str) -> float | None:
    """When a line was written; None where it does not say."""
    try:
        return datetime.fromisoformat(text.partition(" ")[0]).timestamp()
    except ValueError:
        return None


def shown(text: str) -> str:
    """Without what would move a terminal's cursor."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text.replace("\t", "    "))


def lines(file: Path, process: str, since: float = 0) -> Iterator[Line]:
    """The lines of a file; one without a time has that of the line before."""
    with file.open(encoding="utf-8", errors="replace", newline="\n") as opened:
        for text in opened:
            text = text.rstrip()
            if text:
                since = moment(text) or since
                yield since, process, shown(text)


def last_lines(log: Path, process: str, count: int) -> list[Line]:
    """Also from the file that was rotated away last, when there is too little in the new one."""
    found = deque(lines(log, process), count)
    rotated = log.with_name(f"{log.name}.1")
    if len(found) < count and is_plain(rotated):
        found = deque([*lines(rotated, process), *found], count)
    return list(found)


def is_plain(file: Path) -> bool:
    """Whether it is a file, and no link to one."""
    return file.is_file() and not file.is_symlink()


def main(directory: str, count: str, pool: str = "") -> None:
    logs = Path(directory)
    # Root reads this, and workers write into the second: what is no plain file there is none of ours.
    files = [file for file in sorted([*logs.glob("*.log"), *logs.glob("detached/*.log")]) if is_plain(file)]
    named = [(match, file) for file in files if (match := NAME.fullmatch(file.name))]
    wanted = [(match["process"], file) for match, file in named if pool in ("", match["pool"])]
    found = [line for process, file in wanted for line in last_lines(file, process, int(count))]
    found.sort(key=lambda line: line[0])
    pools = sorted({match["pool"] for match, _ in named})
    print(json.dumps({"pools": pools, "logs": [name for name, _ in wanted], "lines": found[-int(count) :]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
