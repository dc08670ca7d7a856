"""Calls a handler and tells how it ended: plain and async ones, under their time limit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping

from messenger.errors import HandlerTimedOut
from messenger.handler_timeout import TimeIsUp, time_limit
from messenger.handlers import Handler


class HandlerCaller:
    """One object for an application. An ``async def`` handler runs to completion on an event loop that this owns.

    timeout: seconds that a handler may take which has no timeout of its own; None: any time.
    """

    def __init__(self, timeout: float | None = None) -> None:
        self._timeout = timeout
        self._runner = asyncio.Runner()  # makes its event loop when it is first used

    def call(self, handler: Handler, first: object, arguments: Mapping[str, object]) -> tuple[object, Exception | None]:
        """The handler's result and None, or None and what went wrong.

        first: the message, or for a batch handler the list of them.
        """
        seconds = handler.options.timeout or self._timeout
        try:
            if handler.is_async:
                return self._runner.run(_within(handler.call(first, **arguments), seconds)), None
            with time_limit(seconds):
                return handler.call(first, **arguments), None
        except Exception as error:
            return None, error
        except TimeIsUp:
            return None, HandlerTimedOut(f"the handler took longer than its timeout of {seconds:g} s")
        except SystemExit as error:  # a library's sys.exit() must not take the worker and its message with it
            return None, RuntimeError(f"the handler called exit({error.code!r})")
        except asyncio.CancelledError:  # something the handler awaited was cancelled; no reason to stop the worker
            return None, RuntimeError("the handler was cancelled")

    def close(self) -> None:
        """Close the event loop, if an async handler needed one; another call makes a new one."""
        self._runner.close()
        self._runner = asyncio.Runner()


async def _within(awaitable: Awaitable[object], seconds: float | None) -> object:
    try:
        async with asyncio.timeout(seconds) as scope:
            return await awaitable
    except TimeoutError:
        if scope.expired():
            raise TimeIsUp from None
        raise
