"""Which process a pid means on this host: the kernel gives a pid again, but not with the same start."""

from __future__ import annotations

import os
from pathlib import Path

_PROC = Path("/proc")


def start_ticks(pid: int) -> int:
    """Return when the kernel started a process, in clock ticks since the host's start; 0 where that cannot be read."""
    try:
        stat = (_PROC / str(pid) / "stat").read_bytes()
        return int(stat.rpartition(b")")[2].split()[19])  # field 22; the name of the process may hold anything
    except (OSError, ValueError, IndexError):
        return 0


def is_running(pid: int, started: int) -> bool:
    """Return True when the process with this pid and start time runs on this host.

    A process whose start time cannot be read, because /proc hides those of other users, is taken for the right one.
    """
    if not _PROC.joinpath("self", "stat").exists():  # not Linux: unknown
        return True
    found = start_ticks(pid)
    if found:
        return found == started
    try:
        os.kill(pid, 0)
    except PermissionError:
        return pid > 1
    except (ProcessLookupError, OverflowError):
        return False
    return pid > 1
