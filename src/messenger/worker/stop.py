"""One place that says whether a worker shall stop, and why."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any
from weakref import WeakMethod

from messenger.polling import readable

log = logging.getLogger(__name__)
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

    def separate(self) -> None:
        """In a forked process: share it with the parent no more."""
        os.close(self.fd)
        os.close(self._writer)
        self.fd, self._writer = os.pipe()

    def __del__(self) -> None:
        os.close(self.fd)
        os.close(self._writer)


class StopRequest(Flag):
    """Set once, by a signal, a limit, stop-workers or a handler; the first reason stays.

    A plain flag, because a signal handler must not take a lock that the interrupted code may hold. What waits on `fd`
    wakes as well.

    handlers: of signals that ask in a way of their own; set before the worker runs.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reason: str | None = None
        self.is_limit = False
        self.signals = 0
        self.handlers: dict[signal.Signals, Callable[[int, FrameType | None], Any]] = {}
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


class Signals:
    """Those that request a stop after the current message: each of SIGNALS, in this process only.

    A child that a handler forks gets them as if there were no worker. One of OPTIONAL is left as it is where it would
    not end the process: nohup(1) has SIGHUP ignored, and an application may have a handler of its own.

    are_lost: a handler has put another in the place of the worker's.
    """

    def __init__(self, stop: StopRequest, also: Iterable[str | int] = ()) -> None:
        """Take them. also: names or numbers of more signals that stop the worker."""
        self.are_lost = False
        self._stop = stop
        self._mask: set[int | signal.Signals] = set()
        ours = [number for number in SIGNALS if number not in OPTIONAL or signal.getsignal(number) == signal.SIG_DFL]
        more = [signal.Signals[name] if isinstance(name, str) else signal.Signals(name) for name in also]
        handlers = dict.fromkeys({*ours, *more}, self._on_signal) | stop.handlers
        self._taken = {number: (handler, signal.signal(number, handler)) for number, handler in handlers.items()}
        os.register_at_fork(
            before=_weakly(self._before_fork),
            after_in_parent=_weakly(self._in_parent),
            after_in_child=_weakly(self._in_child),
        )

    def __enter__(self) -> Signals:
        return self

    def __exit__(self, *_: object) -> None:
        """Give them back: as they were before, except where somebody else has put another handler."""
        taken, self._taken = self._taken, {}
        for number, (handler, previous) in taken.items():
            if signal.getsignal(number) == handler:
                signal.signal(number, previous)

    def look(self) -> None:
        """A heartbeat's step: see whether they are still there."""
        self.are_lost = bool(self._lost())

    def take_back(self) -> None:
        """Put the worker's handlers back. In the main thread."""
        lost, self.are_lost = self._lost(), False
        for number in lost:
            signal.signal(number, self._taken[number][0])
            log.warning(
                "signal_taken_back %s: a handler had replaced what stops the worker", signal.Signals(number).name
            )

    def _lost(self) -> list[signal.Signals]:
        return [
            number
            for number, (handler, _) in self._taken.items()
            if number not in OPTIONAL and signal.getsignal(number) != handler
        ]

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stop.signals += 1
        self._stop.request(signal.Signals(number).name)

    def _before_fork(self) -> None:
        """One that comes to the child before it has given them back waits until it has."""
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, self._taken)

    def _in_parent(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def _in_child(self) -> None:
        if self._taken:
            self.__exit__()
            signal.set_wakeup_fd(-1)
            self._stop.separate()
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)


def _weakly(method: Callable[[], None]) -> Callable[[], object]:
    """For os.register_at_fork, which keeps what it is given for ever."""
    found = WeakMethod(method)
    return lambda: (call := found()) and call()
