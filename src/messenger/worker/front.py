"""messenger consume --detach-log: the process that Supervisor knows, in front of the worker.

It has no part in the work. It hands on signals to the worker and what the worker writes to Supervisor, and ends as the
worker ends; or at once when the worker says that it finishes its message in the background (worker/detach.py).
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

from messenger.worker.detach import DETACH, Front, write_all
from messenger.worker.stop import OPTIONAL, SIGNALS, Flag

log = logging.getLogger("messenger.consume")
_CHUNK_BYTES = 65_536


def stand_in_front(detach_log: str | None) -> Front | None:
    """Fork. Returns in the worker only; the other process ends with the exit code of the worker.

    Called while there is nothing that a fork would spoil: no thread, no connection, no random state.

    detach_log: where a detached worker writes. None: no fork, and no front.
    """
    if detach_log is None:
        return None
    front = os.getpid()
    if front == 1:
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
        sys.exit(_Front(worker, left, {reader: number for number, (reader, _) in pipes.items()}).wait(mask))
    for number in (1, 2):
        os.dup2(pipes.get(number, pipes[1])[1], number)
    for unused in (left, *(writer for _, writer in pipes.values())):
        os.close(unused)
    signal.signal(DETACH, signal.SIG_IGN)  # until the worker is there; it has nothing in hand yet
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return Front(front, tuple(reader for reader, _ in pipes.values()), Path(detach_log).absolute(), leaving)


class _Front:
    """left: readable when the worker says that it is left behind. outputs: what the worker writes -> where it goes."""

    def __init__(self, worker: int, left: int, outputs: Mapping[int, int]) -> None:
        self._worker = worker
        self._left = left
        self._outputs = dict(outputs)
        self._woken = Flag()
        self._sources = {self._woken.fd, left, *outputs}
        self._may_leave = False

    def wait(self, mask: set[int | signal.Signals]) -> int:
        """Until the worker has ended or says that it is left behind; the exit code. mask: of signals, from now on."""
        ignored = [number for number in OPTIONAL if signal.getsignal(number) == signal.SIG_IGN]  # by nohup(1)
        forwarded = [number for number in SIGNALS if number not in ignored]
        for number in forwarded:
            signal.signal(number, self._forward)
        signal.signal(signal.SIGCHLD, self._wake)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        # WNOWAIT: until it is reaped below nobody else gets its number, which signals are sent to.
        ended = os.WEXITED | os.WNOHANG | os.WNOWAIT
        while not self._may_leave and not os.waitid(os.P_PID, self._worker, ended):
            self._pass_on(None)
        self._pass_on(0)
        for number in forwarded:
            signal.signal(number, signal.SIG_IGN)  # there is nobody left to tell
        if self._may_leave:
            return 0
        return _end_like(os.waitstatus_to_exitcode(os.waitpid(self._worker, 0)[1]))

    def _forward(self, number: int, frame: FrameType | None) -> None:
        os.kill(self._worker, number)

    def _wake(self, number: int, frame: FrameType | None) -> None:
        self._woken.set()

    def _pass_on(self, milliseconds: int | None) -> None:
        """What the worker has written, once there is something; or nothing when a signal comes. None: no limit."""
        poll = select.poll()
        for source in self._sources:
            poll.register(source, select.POLLIN)
        for source, _ in poll.poll(milliseconds):
            data = os.read(source, _CHUNK_BYTES)
            if not data:  # nobody is left who writes
                self._sources.discard(source)
            elif source in self._outputs:
                write_all(self._outputs[source], data)
            elif source == self._left:
                self._may_leave = True


def _end_like(code: int) -> int:
    """code: of a process that has ended; negative, by which signal it died. Then this one dies by it as well."""
    if code >= 0:
        return code
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the core of the worker is the one of interest
    if -code != signal.SIGKILL:
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
    return 128 - code
