"""Reads the last lines of the workers' logs in a directory.

Needs nothing but Python, so that its source can run as the application's user: python -I -c SOURCE DIRECTORY COUNT POOL
"""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from collections import deque
from collections.abc import Iterator
from datetime import datetime
from typing import Any

NAME = re.compile(r"(?P<process>(?P<pool>[A-Za-z0-9_-]+)[_-]\d+)\.log")
MOST_FILES = 500
TAIL_BYTES = 4 * 2**20  # of each file
LONGEST = 4000  # characters of a line
Line = tuple[float, str, str]


def moment(text: str) -> float | None:
    """When a line was written; None where it does not say."""
    try:
        return datetime.fromisoformat(text.partition(" ")[0]).timestamp()
    except (ValueError, OverflowError):
        return None


def tail(directory: int, name: str) -> str:
    """The end of a file, from a whole line on; nothing where NAME is no plain file."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    except OSError:
        return ""
    with open(descriptor, "rb"):
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            return ""
        before = max(0, found.st_size - TAIL_BYTES)
        data = os.pread(descriptor, TAIL_BYTES, before)
    return (data.partition(b"\n")[2] if before else data).decode(errors="replace")


def lines(text: str, process: str) -> Iterator[Line]:
    """The lines of a log; one without a time has that of the line before."""
    since = 0.0
    for line in text.split("\n"):
        if line.strip():
            since = moment(line) or since
            yield since, process, line.rstrip()[:LONGEST]


def names(directory: int) -> list[str]:
    """The files of DIRECTORY that are called like logs, the newest first, and no more than MOST_FILES."""
    found = []
    with os.scandir(directory) as entries:
        for entry in entries:
            if NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                found.append((entry.stat(follow_symlinks=False).st_mtime, entry.name))
    return [name for _, name in sorted(found, reverse=True)[:MOST_FILES]]


def last_lines(path: str, count: int, pool: str = "", most_files: int = MOST_FILES) -> dict[str, Any]:
    """The last COUNT lines of the logs of POOL, or of all pools; of MOST_FILES, those that were written to last.

    pools: names of all pools that have logs. logs: the processes whose logs were read, the newest first.
    lines: [seconds since 1970, process, text], the oldest first.
    """
    answer: dict[str, Any] = {"pools": [], "logs": [], "lines": []}
    try:
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return answer
    found: list[Line] = []
    for name in names(directory)[:most_files]:
        match = NAME.fullmatch(name)
        if match is None:
            continue
        answer["pools"].append(match["pool"])
        if pool in ("", match["pool"]):
            answer["logs"].append(match["process"])
            newest = deque(lines(tail(directory, name), match["process"]), count)
            if len(newest) < count:  # what was rotated away last
                newest = deque([*lines(tail(directory, f"{name}.1"), match["process"]), *newest], count)
            found = sorted([*found, *newest], key=lambda line: line[0])[-count:]
    os.close(directory)
    return answer | {"pools": sorted(set(answer["pools"])), "lines": found}


if __name__ == "__main__":
    print(json.dumps(last_lines(sys.argv[1], int(sys.argv[2]), sys.argv[3])))
