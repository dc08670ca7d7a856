"""The workers of a host as its files and its process table show them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

PROGRAM = re.compile(r"^\[program:(.*)\]$", re.MULTILINE)


def text_of(path: str | Path) -> str:
    """Return what a file holds, or nothing when it is not there."""
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def programs_of(*configurations: str | Path) -> list[str]:
    """Return the names of the programs in Supervisor configurations, each once; files that are missing have none."""
    return list(dict.fromkeys(PROGRAM.findall("\n".join(map(text_of, configurations)))))


def programs_known(conf: str | Path) -> list[str]:
    """Return the programs of the configuration in force and of the one that passed the gate last.

    A run that was cut off may have left a program that only the latter has.
    """
    return programs_of(conf, f"{conf}.good")


def unsupervised(root: str | Path, proc: Path = Path("/proc")) -> list[int]:
    """Return the pids of the workers of an application that no supervisord has.

    They finish their message in the background, were started by hand, or were left by a supervisord that was killed.
    Processes that a worker has started do not count.

    Args:
        root: The application's directory.
        proc: Where the process table is.
    """
    found = []
    for process in proc.iterdir():
        if process.name.isdigit() and _is_worker(_command(process), str(root)):
            try:
                started_by = _command(_parent(process))
            except OSError:  # it has ended meanwhile
                continue
            if not _is_supervisord(started_by) and not _is_worker(started_by, str(root)):
                found.append(int(process.name))
    return sorted(found)


def _command(process: Path) -> list[str]:
    """Return the words of a command line; none when the process has ended."""
    try:
        return os.fsdecode((process / "cmdline").read_bytes()).split("\0")
    except OSError:
        return []


def _is_worker(words: list[str], root: str) -> bool:
    """Return whether a command is `ROOT/…/venv/bin/messenger consume`, which an interpreter runs."""
    return words[2:3] == ["consume"] and words[1].startswith(f"{root}/") and words[1].endswith("/venv/bin/messenger")


def _is_supervisord(words: Iterable[str]) -> bool:
    """Return whether a command is supervisord, with or without its interpreter in front."""
    return any(word.endswith("/supervisord") for word in list(words)[:2])


def _parent(process: Path) -> Path:
    """Return the process that started PROCESS; the first process when that one has ended."""
    return process.parent / (process / "stat").read_text().rpartition(")")[2].split()[1]
