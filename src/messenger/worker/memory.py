"""How much memory a worker uses, its children included (R63)."""

from __future__ import annotations

import psutil

from messenger.worker.status import WorkerStatus


class Memory:
    """Notes it in the worker's status. Takes milliseconds: for the beat, not for every message."""

    def __init__(self, status: WorkerStatus) -> None:
        self._status = status
        self._process = psutil.Process()

    def measure(self) -> None:
        """Note the resident bytes of this process and its children."""
        total = int(self._process.memory_info().rss)
        for child in self._process.children(recursive=True):
            try:
                total += int(child.memory_info().rss)
            except psutil.Error:
                continue  # it ended meanwhile
        self._status.memory_bytes = total
