"""Stop requests: whether and why a worker stops, and the signals that request it."""

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
    """A flag that any thread or signal handler sets once; it wakes those that wait for its file descriptor.

    Attributes:
        fd: Readable once the flag is set.
    """

    def __init__(self) -> None:
        self.fd, self._writer = os.pipe()

    def set(self) -> None:
        """Set the flag."""
        os.write(self._writer, b"x")

    def separate(self) -> None:
        """Replace the pipe in a forked process, so that it is not shared with the parent."""
        os.close(self.fd)
        os.close(self._writer)
        self.fd, self._writer = os.pipe()

    def __del__(self) -> None:
        os.close(self.fd)
        os.close(self._writer)


class StopRequest(Flag):
    """A flag set by a signal, a limit, stop-workers or a handler; the first reason stays.

    It uses no lock: a signal handler must not take one that the interrupted code may hold.

    Attributes:
        reason: Why to stop; None until then.
        is_limit: True when a limit of the worker was the reason.
        signals: Number of stop signals.
        handlers: Additional signal handlers; set before the worker runs.
        requested_at: Monotonic seconds of the request; infinite until then.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reason: str | None = None
        self.is_limit = False
        self.signals = 0
        self.handlers: dict[signal.Signals, Callable[[int, FrameType | None], Any]] = {}
        self.requested_at = float("inf")

    def request(self, reason: str, *, is_limit: bool = False) -> None:
        """Request a stop after the current message.

        Args:
            reason: Why, for the log.
            is_limit: True when a limit of the worker was reached.
        """
        if self.reason is None:
            self.is_limit = is_limit
            self.requested_at = time.monotonic()
            self.reason = reason
            self.set()

    def is_requested(self) -> bool:
        """Return True once a stop was requested."""
        return self.reason is not None

    def pause(self, seconds: float) -> None:
        """Sleep for some seconds; a stop request ends the sleep."""
        readable((self.fd,), seconds)


class Signals:
    """Signal handlers that request a stop after the current message: for each of SIGNALS, in this process only.

    In a child process that a handler forks, signals work as if there were no worker. A signal of OPTIONAL is not
    handled where it would not end the process: nohup(1) ignores SIGHUP, and an application may have its own handler.

    Attributes:
        are_lost: True when a message handler has replaced one of the signal handlers.
    """

    def __init__(self, stop: StopRequest, also: Iterable[str | int] = ()) -> None:
        """Install the signal handlers.

        Args:
            stop: The request to set.
            also: Names or numbers of further signals that stop the worker.
        """
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
        """Restore the previous signal handlers, except where another one was installed since."""
        taken, self._taken = self._taken, {}
        for number, (handler, previous) in taken.items():
            if signal.getsignal(number) == handler:
                signal.signal(number, previous)

    def look(self) -> None:
        """Check that the signal handlers are still installed; a task of the heartbeat."""
        self.are_lost = bool(self._lost())

    def take_back(self) -> None:
        """Install the lost signal handlers again. Call it in the main thread."""
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
        """Block the signals until the child process has restored its handlers."""
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
    """Return a weak callback for os.register_at_fork, which keeps its callbacks forever."""
    found = WeakMethod(method)
    return lambda: (call := found()) and call()
