"""Calls of handlers: synchronous and async ones, with a time limit and an outcome."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import replace
from types import FrameType

from messenger.concurrency.event_loops import EventLoops
from messenger.concurrency.forks import ForksEnd
from messenger.errors import HandlerTimedOut, TimeIsUp, as_failure
from messenger.handling.registry import Handler

# A handler that catches everything is interrupted again and again.
_AGAIN_SECONDS = 1.0


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Raise TimeIsUp in the enclosed code when it takes too long (setitimer(2), SIGALRM).

    It works in the main thread, where a worker handles its messages. In other threads, such as those of a web
    application, there is no limit. A call into C code is interrupted when it returns.

    Args:
        seconds: The limit; None for no limit.
    """
    if seconds is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    is_armed = True

    def on_alarm(number: int, frame: FrameType | None) -> None:
        if is_armed:
            raise TimeIsUp

    began = time.monotonic()
    previous = signal.signal(signal.SIGALRM, on_alarm)
    outer_left, outer_interval = signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_SECONDS)
    try:
        try:
            yield
        finally:
            is_armed = False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        if outer_left:  # a message handled inside another one's handler: that one's time goes on
            left = max(0.001, outer_left - (time.monotonic() - began))
            signal.setitimer(signal.ITIMER_REAL, left, outer_interval)


class HandlerCaller:
    """Calls handlers, and awaits what they return if it is awaitable. There is one for each application.

    Each call runs in a copy of the context: a context variable that a handler sets is not visible to other handlers.
    """

    def __init__(self, loops: EventLoops, timeout: float | None = None) -> None:
        """Create it.

        Args:
            loops: Where awaitables run.
            timeout: Seconds for handlers without a timeout of their own; None for no limit.
        """
        self._loops = loops
        self._timeout = timeout

    def call(self, handler: Handler, first: object, arguments: Mapping[str, object]) -> tuple[object, Exception | None]:
        """Call a handler.

        Args:
            handler: The handler.
            first: The message, or for a batch handler the list of messages.
            arguments: The other arguments, by name.

        Returns:
            The result and None, or None and the error.
        """
        seconds = handler.options.timeout or self._timeout
        context = copy_context()
        try:
            if seconds is not None:
                return context.run(self._call_within, seconds, handler, first, arguments), None
            with ForksEnd():
                result = context.run(handler.call, first, **arguments)
            return None if result is None else context.run(self._loops.complete, result), None
        except TimeIsUp:
            return None, HandlerTimedOut(f"the handler took longer than its timeout of {seconds:g} s")
        except BaseException as error:  # a library's sys.exit() must not take the worker and its message with it
            return None, as_failure(error, "the handler")

    def completed(self, handler: Handler, result: object) -> tuple[object, Exception | None]:
        """Complete the result that a batch handler gave for one message; an awaitable is awaited.

        Args:
            handler: The batch handler.
            result: The result.

        Returns:
            The result and None, or None and the error.
        """
        return self.call(replace(handler, call=_as_it_is), result, {})

    def _call_within(self, seconds: float, handler: Handler, first: object, arguments: Mapping[str, object]) -> object:
        deadline = time.monotonic() + seconds
        with time_limit(seconds), ForksEnd():
            result = handler.call(first, **arguments)
        return self._loops.complete(result, deadline)


def _as_it_is(result: object) -> object:
    return result
