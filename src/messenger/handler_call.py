"""Calls a handler and tells how it ended: plain and async ones, under their time limit."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextvars import copy_context
from dataclasses import replace

from messenger.errors import HandlerTimedOut
from messenger.event_loops import EventLoops
from messenger.forks import ForksEnd
from messenger.handler_timeout import TimeIsUp, time_limit
from messenger.handlers import Handler
from messenger.raised import as_failure


class HandlerCaller:
    """One object for an application. What a handler returned is awaited, if it can be.

    Each call runs in a copy of the context: a context variable that a handler sets is seen by no other handler.

    loops: where awaitables run. timeout: seconds that a handler may take which has no timeout of its own; None: any
    time.
    """

    def __init__(self, loops: EventLoops, timeout: float | None = None) -> None:
        self._loops = loops
        self._timeout = timeout

    def call(self, handler: Handler, first: object, arguments: Mapping[str, object]) -> tuple[object, Exception | None]:
        """The handler's result and None, or None and what went wrong.

        first: the message, or for a batch handler the list of them.
        """
        seconds = handler.options.timeout or self._timeout
        try:
            return copy_context().run(self._call, handler, first, arguments, seconds), None
        except TimeIsUp:
            return None, HandlerTimedOut(f"the handler took longer than its timeout of {seconds:g} s")
        except BaseException as error:  # a library's sys.exit() must not take the worker and its message with it
            return None, as_failure(error, "the handler")

    def completed(self, handler: Handler, result: object) -> tuple[object, Exception | None]:
        """What a batch handler gave as the result of one message, awaited like what it returns; see `call`."""
        return self.call(replace(handler, call=_as_it_is), result, {})

    def _call(self, handler: Handler, first: object, arguments: Mapping[str, object], seconds: float | None) -> object:
        if seconds is None:
            with ForksEnd():
                result = handler.call(first, **arguments)
            return None if result is None else self._loops.complete(result)
        deadline = time.monotonic() + seconds
        with time_limit(seconds), ForksEnd():
            result = handler.call(first, **arguments)
        return self._loops.complete(result, deadline)


def _as_it_is(result: object) -> object:
    return result
