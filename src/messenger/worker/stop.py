"""One place that says whether a worker shall stop, and why."""

from __future__ import annotations

import os
import signal
import time
from types import FrameType

_SLICE_SECONDS = 0.05
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


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


class StopRequest:
    """Set once, by a signal, a limit, stop-workers or a handler; the first reason stays.

    A plain flag, because a signal handler must not take a lock that the interrupted code may hold.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self.is_limit = False
        self.signals = 0
        self.requested_at = float("inf")
        self._flag = Flag()

    def request(self, reason: str, *, is_limit: bool = False) -> None:
        """Stop after the current message. is_limit: because a limit of the worker's own was reached."""
        if self.reason is None:
            self.is_limit = is_limit
            self.requested_at = time.monotonic()
            self.reason = reason
            self._flag.set()

    @property
    def fd(self) -> int:
        """A file descriptor that is readable once a stop was requested."""
        return self._flag.fd

    @property
    def requested(self) -> bool:
        """Whether to stop."""
        return self.reason is not None

    def is_requested(self) -> bool:
        """The same as a function, for waits."""
        return self.reason is not None

    def pause(self, seconds: float, *, only_for_signals: bool = False) -> None:
        """Sleep, but not on after a stop request (or, with `only_for_signals`, after a signal)."""
        deadline = time.monotonic() + seconds
        while (remaining := deadline - time.monotonic()) > 0:
            if self.signals or (self.requested and not only_for_signals):
                return
            time.sleep(min(_SLICE_SECONDS, remaining))


class SignalHandlers:
    """While active, SIGTERM, SIGINT and SIGQUIT request a stop after the current message (spec section 15)."""

    def __init__(self, stop: StopRequest) -> None:
        self._stop = stop
        self._previous: dict[signal.Signals, object] = {}

    def __enter__(self) -> SignalHandlers:
        for number in SIGNALS:
            self._previous[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number, previous in self._previous.items():
            signal.signal(number, previous)  # type: ignore[arg-type]

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stop.signals += 1
        self._stop.request(signal.Signals(number).name)
