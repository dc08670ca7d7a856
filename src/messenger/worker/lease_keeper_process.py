"""The program that a LeaseKeeper runs: it does the heartbeat's work while the worker's interpreter is blocked.

It imports this package only when it has to: until then it takes 4 MB.
"""

from __future__ import annotations

import mmap
import os
import pickle
import select
import struct
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from messenger.worker.leases_of_silent import LeasesOfSilent

HEARTBEATS = struct.Struct("<Q")  # at the beginning of the shared memory: heartbeats of the worker
LENGTH = struct.Struct("<Q")  # behind it: of the pickled messages
MESSAGES_AT = HEARTBEATS.size + LENGTH.size
LONGEST_SILENCE = 3600.0  # seconds; a worker that stands still for longer is taken for hung
SHORT_SECONDS = 2.0
REPORT_SECONDS = 7.0  # of silence; after 15 s the registry forgets a worker
_LOOK_SECONDS = 2.0
_RUNNING = "RSD"  # states of a process (proc(5)) that is neither stopped nor dead


def main() -> None:
    """Watch the worker until it has ended, which closes stdin.

    Arguments of the program: the descriptor of the shared memory, the worker's pid, and a quarter of its shortest lease
    in seconds. stdin has a pickled pair: sys.path, and the pickled arguments of LeasesOfSilent. stdout is closed once
    the program is ready.
    """
    memory, worker, quarter = mmap.mmap(int(sys.argv[1]), 0), int(sys.argv[2]), float(sys.argv[3])
    path, arguments = pickle.load(sys.stdin.buffer)  # noqa: S301 - the worker itself wrote it
    leases = _open(path, arguments, worker) if quarter < SHORT_SECONDS else None  # later would be too late
    os.close(1)  # it is ready
    heartbeats, since = -1, time.monotonic()
    while not select.select([0], [], [], min(quarter / 2, _LOOK_SECONDS))[0] and os.getppid() == worker:
        (found,), (length,) = HEARTBEATS.unpack_from(memory), LENGTH.unpack_from(memory, HEARTBEATS.size)
        now = time.monotonic()
        if found != heartbeats:
            heartbeats, since = found, now
            continue
        silent = now - since
        if not min(quarter, REPORT_SECONDS) <= silent < LONGEST_SILENCE or not _runs(worker):
            continue
        leases = leases or _open(path, arguments, worker)
        if length and silent >= quarter:
            leases.renew(heartbeats, memory[MESSAGES_AT : MESSAGES_AT + length])
        if silent >= REPORT_SECONDS:
            leases.report()


def _open(path: list[str], arguments: bytes, worker: int) -> LeasesOfSilent:
    sys.path[:] = path
    from messenger.worker.leases_of_silent import LeasesOfSilent

    return LeasesOfSilent(arguments, worker)


def _runs(pid: int) -> bool:
    """Return True when a process runs. One that a signal has stopped is to lose its messages to another worker."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b") ")[2][:1].decode() in _RUNNING
    except OSError:
        return False


if __name__ == "__main__":
    main()
