"""One place that says whether a worker shall stop, and why."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

from messenger.readable import readable

OPTIONAL = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
# Every signal that Supervisor's stopsignal can name, except KILL. SIGHUP also comes when a terminal closes.
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, *OPTIONAL)


class Flag:
    """Set once, by any thread or signal handler; whoever waits on its file descriptor wakes."""

    def __init__(self) -> None:
        self.fd, self._writer = os.pipe()

    def set(self) -> None:
        """Wake them, now and whenever they wait again."""
        os.write(self._writer, b"x")

    def __del__(self) -> None:
        os.close(self.fd)
        os.close(self._writer)


class StopRequest(Flag):
    """Set once, by a signal, a limit, stop-workers or a handler; the first reason stays.

    A plain flag, because a signal handler must not take a lock that the interrupted code may hold. What waits on `fd`
    wakes as well.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reason: str | None = None
        self.is_limit = False
        self.signals = 0
        self.requested_at = float("inf")

    def request(self, reason: str, *, is_limit: bool = False) -> None:
        """Stop after the current message. is_limit: because a limit of the worker's own was reached."""
        if self.reason is None:
            self.is_limit = is_limit
            self.requested_at = time.monotonic()
            self.reason = reason
            self.set()

    def is_requested(self) -> bool:
        """Whether to stop."""
        return self.reason is not None

    def pause(self, seconds: float) -> None:
        """Sleep, but not on after a stop request."""
        readable((self.fd,), seconds)


@contextmanager
def stop_by_signals(stop: StopRequest, also: Iterable[str | int] = ()) -> Iterator[None]:
    """Request a stop after the current message at each of SIGNALS (spec section 15).

    One of OPTIONAL is left as it is where it would not end the process: nohup(1) has SIGHUP ignored, and an application
    may have a handler of its own.

    also: names or numbers of more signals that do.
    """

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.signals += 1
        stop.request(signal.Signals(number).name)

    ours = [number for number in SIGNALS if number not in OPTIONAL or signal.getsignal(number) == signal.SIG_DFL]
    more = [signal.Signals[name] if isinstance(name, str) else signal.Signals(name) for name in also]
    previous = {number: signal.signal(number, on_signal) for number in {*ours, *more}}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
