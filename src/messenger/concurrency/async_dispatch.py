"""Dispatches for async callers: in a thread, so that their event loop goes on meanwhile."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from functools import partial
from typing import TypeVar

from messenger.concurrency.event_loops import EventLoops, in_thread

T = TypeVar("T")
THREAD_NAME = "messenger-dispatch"
_THREADS = 32  # dispatches that are sent at the same time; others wait for their turn, and the loop for none


class AsyncDispatch:
    """Runs dispatches in threads; async handlers that they meet run on the event loop of the caller.

    A dispatch that such a handler waits for has a thread of its own: with all threads waiting for handlers, there would
    be none to go on.
    """

    def __init__(self, loops: EventLoops) -> None:
        """Create it; threads are started when they are needed.

        Args:
            loops: where handlers are awaited.
        """
        self._loops = loops
        self._is_inside: ContextVar[bool] = ContextVar("messenger.is_inside_async_dispatch", default=False)
        self._executor: ThreadPoolExecutor | None = None
        self._pid = 0

    async def run(self, dispatch: Callable[[], T]) -> T:
        """Return what `dispatch` returns, called in a thread with a copy of the context."""
        loop = asyncio.get_running_loop()
        is_inside = self._is_inside.get()
        context = copy_context()
        context.run(self._is_inside.set, True)
        call = partial(context.run, self._lend, loop, dispatch)
        if is_inside:
            return await asyncio.wrap_future(in_thread(call))
        return await loop.run_in_executor(self._threads(), call)

    def close(self) -> None:
        """Let the threads end when what they do is done; another dispatch starts new ones."""
        executor, self._executor = self._executor, None
        if executor is not None and self._pid == os.getpid():
            executor.shutdown(wait=False)

    def _lend(self, loop: asyncio.AbstractEventLoop, dispatch: Callable[[], T]) -> T:
        with self._loops.lent(loop):
            return dispatch()

    def _threads(self) -> concurrent.futures.Executor:
        if self._executor is None or self._pid != os.getpid():  # threads are not inherited in a fork
            self._executor, self._pid = ThreadPoolExecutor(_THREADS, THREAD_NAME), os.getpid()
        return self._executor
