"""Interrupts a handler that takes too long (R63)."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# A handler that catches everything is interrupted again and again.
_AGAIN_SECONDS = 1.0


class TimeIsUp(BaseException):
    """Raised in the handler's code. No Exception, so that ``except Exception`` there does not swallow it."""


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Raise TimeIsUp in the code inside once it has taken so long (setitimer(2), SIGALRM).

    It works in the main thread, where a worker handles its messages; elsewhere, as in the threads of a web application,
    there is no limit. A call into C code that does not return is interrupted when it returns.
    """
    if seconds is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    is_armed = True

    def on_alarm(number: int, frame: FrameType | None) -> None:
        if is_armed:
            raise TimeIsUp

    began = time.monotonic()
    previous = signal.signal(signal.SIGALRM, on_alarm)
    outer_left, outer_interval = signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_SECONDS)
    try:
        try:
            yield
        finally:
            is_armed = False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        if outer_left:  # a message handled inside another one's handler: that one's time goes on
            left = max(0.001, outer_left - (time.monotonic() - began))
            signal.setitimer(signal.ITIMER_REAL, left, outer_interval)
