"""Detaching: a worker finishes its message in the background while Supervisor starts the next worker.

Supervisor started, watches and signals the launcher (worker/launcher.py). When the launcher ends, Supervisor considers
the worker ended.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from messenger.events import WorkerStopped
from messenger.worker.registration import STOP_WORKERS, Registration
from messenger.worker.worker import Worker

log = logging.getLogger(__name__)
DETACH = signal.SIGUSR2  # tells the worker to stop, and not to be waited for
_LOG_BYTES = 10 * 1024**2
_CHUNK_BYTES = 65_536  # what a pipe holds


@dataclass(frozen=True, slots=True)
class Launcher:
    """The parent process, as the worker sees it.

    Attributes:
        pid: Its process id.
        outputs: Descriptors from which the output of this process and its children can be read.
        log: File that receives the output once the launcher has ended.
        leaving: Pipe; a byte in it tells the launcher to end. A signal would not do: each can be a stopsignal.
    """

    pid: int
    outputs: tuple[int, ...]
    log: Path
    leaving: int

    def is_there(self) -> bool:
        """Return True while the launcher lives: the parent of a process changes when the parent has ended."""
        return os.getppid() == self.pid

    def leave(self) -> None:
        """End the launcher, so that Supervisor starts the next worker."""
        if self.is_there():
            with suppress(BrokenPipeError):
                os.write(self.leaving, b"x")


class Detaching:
    """Lets a worker that is asked to stop finish its messages in flight in the background.

    That applies to stop-workers and SIGUSR2; after SIGTERM, the sender waits for the worker. A worker whose launcher
    was killed goes on in the background, too.
    """

    def __init__(self, launcher: Launcher, worker: Worker, registration: Registration | None) -> None:
        """Create it.

        Args:
            launcher: The launcher.
            worker: The worker.
            registration: The worker's entry in the registry, if it has one.
        """
        self._launcher = launcher
        self._status = worker.status
        self._stop = worker.stop
        self._min_uptime = worker.options.limits.min_uptime
        self._registration = registration
        if registration is not None:
            registration.front = launcher.pid
        self._is_asked = False
        self._is_decided = False
        worker.stop.handlers[DETACH] = self._on_signal
        worker.events.listen(WorkerStopped, self._on_stopped)

    def look(self) -> None:
        """Decide whether the worker is detached; a task of the heartbeat.

        Raises:
            TransportError: The registry could not be updated. The next heartbeat tries again.
        """
        if self._is_decided:
            return
        alone = not self._launcher.is_there()
        if alone:
            self._stop.request(f"its process {self._launcher.pid}, which Supervisor watches, was killed")
        if self._status.in_flight and (alone or self._may_leave()):
            self._is_decided = True
            self._leave(alone)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._is_asked = True
        self._stop.request(signal.Signals(number).name)

    def _on_stopped(self, _: WorkerStopped) -> None:
        """Ignore the signal: at its end Python removes its signal handlers, and then the signal would kill."""
        signal.signal(DETACH, signal.SIG_IGN)

    def _may_leave(self) -> bool:
        """Return True when the launcher may end.

        Supervisor takes an end before `startsecs` for a failed start, unless it has asked for the end (SIGTERM).
        """
        asked = self._is_asked or self._stop.reason == STOP_WORKERS
        return asked and (self._status.uptime >= self._min_uptime or self._stop.signals > 0)

    def _leave(self, alone: bool) -> None:
        messages = ", ".join(f"{message.type} {message.id}" for message in self._status.in_flight)
        try:
            file = open_log(self._launcher.log)
        except OSError as error:
            if alone:  # no process reads these any more: a writer must not block
                for output in self._launcher.outputs:
                    os.close(output)
            log.warning("not_detached: %s: %s is finished here, and a stop waits for it", error, messages)
            return
        what = f"detached pid={os.getpid()} release={self._status.release}: finishes {messages} in the background"
        if not alone:
            log.info("%s, and writes to %s", what, self._launcher.log)
        for number in (1, 2):
            os.dup2(file, number)
        with suppress(PermissionError):  # it leads a group already
            os.setsid()  # what Supervisor does to the group of its process does not meet this one any more
        try:
            self._tell_registry()
        finally:
            self._launcher.leave()
            # What handlers have started still writes where it did.
            for output in self._launcher.outputs:
                threading.Thread(target=_copy, args=(output, file), name="messenger-output", daemon=True).start()
            log.info("%s", what)

    def _tell_registry(self) -> None:
        if self._registration is not None:
            self._registration.front = 0
            self._registration.detached = True
            self._registration.report()


def open_log(path: Path) -> int:
    """Open a log for appending; its directory is created if it does not exist.

    A file above 10 MB is renamed to FILE.1 first.

    Returns:
        The file descriptor.

    Raises:
        OSError: The file cannot be opened.
    """
    path.parent.mkdir(mode=0o750, exist_ok=True)
    with suppress(FileNotFoundError):
        if path.stat().st_size > _LOG_BYTES:
            path.rename(f"{path}.1")
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)


def _copy(source: int, target: int) -> None:
    """Copy until every writer has closed the source. A full disk loses text, and stops no writer."""
    for data in iter(lambda: os.read(source, _CHUNK_BYTES), b""):
        write_all(target, data)


def write_all(target: int, data: bytes) -> None:
    """Write all data; give up when it cannot be written."""
    rest = memoryview(data)
    with suppress(OSError):
        while rest:
            rest = rest[os.write(target, rest) :]
