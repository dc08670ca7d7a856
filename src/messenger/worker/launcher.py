"""Launcher of `messenger consume --detach-log`: the parent process of the worker, which Supervisor watches.

It forwards signals to the worker and the worker's output to Supervisor. It ends as the worker ends, or at once when the
worker detaches to finish its message in the background (worker/detach.py).
"""

from __future__ import annotations

import gc
import logging
import os
import resource
import select
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

from messenger.worker.detach import DETACH, Launcher, write_all
from messenger.worker.stop import OPTIONAL, SIGNALS, Flag

log = logging.getLogger("messenger.consume")
_CHUNK_BYTES = 65_536


def launch(detach_log: str | None) -> Launcher | None:
    """Fork the worker. Return in the worker only; the launcher ends with the worker's exit code.

    Call it before anything exists that does not survive a fork: threads, connections, random state.

    Args:
        detach_log: Path of the file that a detached worker writes to. None: no fork.

    Returns:
        The worker's view of its launcher; None without a fork.
    """
    if detach_log is None:
        return None
    launcher = os.getpid()
    if launcher == 1:
        log.warning("--detach-log is left out: with the first process of a container all others end")
        return None
    pipes = {number: os.pipe() for number in ((1,) if os.path.sameopenfile(1, 2) else (1, 2))}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {*SIGNALS, signal.SIGCHLD})
    left, leaving = os.pipe()
    gc.freeze()  # the collector writes into what it looks at, and both processes would have a copy of that
    worker = os.fork()
    if worker:
        for writer in (leaving, *(writer for _, writer in pipes.values())):
            os.close(writer)
        sys.exit(_Launcher(worker, left, {reader: number for number, (reader, _) in pipes.items()}).wait(mask))
    for number in (1, 2):
        os.dup2(pipes.get(number, pipes[1])[1], number)
    for unused in (left, *(writer for _, writer in pipes.values())):
        os.close(unused)
    signal.signal(DETACH, signal.SIG_IGN)  # until the worker has started; nothing is in flight yet
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return Launcher(launcher, tuple(reader for reader, _ in pipes.values()), Path(detach_log).absolute(), leaving)


class _Launcher:
    """The launcher's side.

    Args:
        worker: Pid of the worker.
        left: Descriptor that becomes readable when the worker detaches.
        outputs: Descriptors of the worker's output, each with the descriptor that receives it.
    """

    def __init__(self, worker: int, left: int, outputs: Mapping[int, int]) -> None:
        self._worker = worker
        self._left = left
        self._outputs = dict(outputs)
        self._woken = Flag()
        self._sources = {self._woken.fd, left, *outputs}
        self._may_leave = False

    def wait(self, mask: set[int | signal.Signals]) -> int:
        """Wait until the worker ends or detaches.

        Args:
            mask: Signals that are blocked from now on.

        Returns:
            The exit code of the launcher.
        """
        ignored = [number for number in OPTIONAL if signal.getsignal(number) == signal.SIG_IGN]  # by nohup(1)
        forwarded = [number for number in SIGNALS if number not in ignored]
        for number in forwarded:
            signal.signal(number, self._forward)
        signal.signal(signal.SIGCHLD, self._wake)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        # WNOWAIT: until it is reaped below no other process gets its pid, to which signals are sent.
        ended = os.WEXITED | os.WNOHANG | os.WNOWAIT
        while not self._may_leave and not os.waitid(os.P_PID, self._worker, ended):
            self._pass_on(None)
        self._pass_on(0)
        for number in forwarded:
            signal.signal(number, signal.SIG_IGN)  # the worker has ended
        if self._may_leave:
            return 0
        return _end_like(os.waitstatus_to_exitcode(os.waitpid(self._worker, 0)[1]))

    def _forward(self, number: int, frame: FrameType | None) -> None:
        os.kill(self._worker, number)

    def _wake(self, number: int, frame: FrameType | None) -> None:
        self._woken.set()

    def _pass_on(self, milliseconds: int | None) -> None:
        """Forward output of the worker until a signal comes or the time (None: no limit) is over."""
        poll = select.poll()
        for source in self._sources:
            poll.register(source, select.POLLIN)
        for source, _ in poll.poll(milliseconds):
            data = os.read(source, _CHUNK_BYTES)
            if not data:  # every writer has closed it
                self._sources.discard(source)
            elif source in self._outputs:
                write_all(self._outputs[source], data)
            elif source == self._left:
                self._may_leave = True


def _end_like(code: int) -> int:
    """Return the exit code; if the worker died of a signal (a negative code), die of the same signal."""
    if code >= 0:
        return code
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the core of the worker is the one of interest
    if -code != signal.SIGKILL:
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
    return 128 - code
