"""What becomes of a process that a handler forks: it ends where the handler ends, and never goes on as its parent."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress
from types import TracebackType
from typing import NoReturn

log = logging.getLogger(__name__)


class ForksEnd:
    """A block that no other process leaves than the one that entered it: a child ends at its end.

    Its exit code is that of its SystemExit, 1 after an exception, which is logged, and else 0.
    """

    __slots__ = ("_pid",)

    def __enter__(self) -> None:
        self._pid = os.getpid()

    def __exit__(self, kind: object, error: BaseException | None, trace: TracebackType | None) -> None:
        if os.getpid() != self._pid:
            _end(error)


def _end(error: BaseException | None) -> NoReturn:
    """Without atexit and open blocks: those are its parent's."""
    code: object = None
    if isinstance(error, SystemExit):
        code = error.code
    elif error is not None:
        code = 1
        log.error("child_failed pid=%d: a process that a handler has forked", os.getpid(), exc_info=error)
    if code is not None and not isinstance(code, int):
        log.error("child_failed pid=%d: exit(%r)", os.getpid(), code)
        code = 1
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # closed, or without a reader
            stream.flush()
    os._exit((code or 0) & 0xFF)
