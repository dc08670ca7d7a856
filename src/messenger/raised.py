"""What code of the application raised, as an error that fails its message and leaves the process alone."""

from __future__ import annotations

import asyncio
import concurrent.futures
import signal

from messenger.handler_timeout import TimeIsUp
from messenger.printable import text_of


def is_ctrl_c(error: BaseException) -> bool:
    """Whether somebody pressed Ctrl-C. A worker catches SIGINT: there a KeyboardInterrupt was raised by its code."""
    return isinstance(error, KeyboardInterrupt) and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def as_failure(error: BaseException, who: str) -> Exception:
    """Return the error itself, or one in its place where it is no Exception, with the trace of it.

    Args:
        who: what raised it, such as "the handler".

    Raises:
        KeyboardInterrupt: somebody pressed Ctrl-C; never in a worker.
        TimeIsUp: the time of the handler around it is over.
    """
    if isinstance(error, TimeIsUp) or is_ctrl_c(error):
        raise error
    if isinstance(error, asyncio.CancelledError | concurrent.futures.CancelledError):
        return RuntimeError(f"{who} was cancelled")
    if isinstance(error, Exception):
        return error
    if isinstance(error, SystemExit):
        what = f"called exit({error.code!r})"
    else:
        text = text_of(error)
        what = f"raised {type(error).__name__}{f': {text}' if text else ''}"
    failure = RuntimeError(f"{who} {what}")
    failure.__cause__ = error
    return failure.with_traceback(error.__traceback__)
