"""Waiting until a file descriptor is readable."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Sequence

_SLICE_SECONDS = 0.05


def readable(fds: Sequence[int], seconds: float) -> bool:
    """Wait until one of several file descriptors is readable.

    Args:
        fds: The file descriptors.
        seconds: The longest time to wait.

    Returns:
        True when one is readable.
    """
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    return bool(poll.poll(max(0.0, seconds) * 1000))


def wait_readable(fds: Sequence[int], seconds: float, stop: Callable[[], bool]) -> None:
    """Wait until one of several file descriptors is readable or the caller wants to stop.

    Args:
        fds: The file descriptors.
        seconds: The longest time to wait.
        stop: Asked about 20 times a second; the wait ends when it returns True.
    """
    deadline = time.monotonic() + seconds
    while not stop() and (left := deadline - time.monotonic()) > 0:
        if readable(fds, min(left, _SLICE_SECONDS)):
            return
