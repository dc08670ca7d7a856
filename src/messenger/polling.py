"""Waiting until something can be read."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Sequence

_SLICE_SECONDS = 0.05


def readable(fds: Sequence[int], seconds: float) -> bool:
    """Wait until one of these file descriptors can be read, for `seconds` at most. Whether one can."""
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    return bool(poll.poll(max(0.0, seconds) * 1000))


def wait_readable(fds: Sequence[int], seconds: float, stop: Callable[[], bool]) -> None:
    """Return once one of the file descriptors can be read, `stop()` is true, or `seconds` are over."""
    deadline = time.monotonic() + seconds
    while not stop() and (left := deadline - time.monotonic()) > 0:
        if readable(fds, min(left, _SLICE_SECONDS)):
            return
