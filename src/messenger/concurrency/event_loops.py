"""Runs to its end what was begun by a handler or a hook: what it returned decides, not how its function looks."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import inspect
import logging
import os
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextvars import copy_context
from functools import partial
from types import AsyncGeneratorType, GeneratorType
from typing import Any, TypeVar

from messenger.concurrency.forks import ForksEnd
from messenger.errors import MessengerError, TimeIsUp, UnrecoverableError, is_ctrl_c

log = logging.getLogger(__name__)
T = TypeVar("T")
# Objects whose code has not begun to run, and would never run; an iterator with close() is a cursor or a file.
_NOT_BEGUN = (GeneratorType, AsyncGeneratorType, contextlib.ContextDecorator, contextlib.AsyncContextDecorator)
_ITERATORS = (Iterator, AsyncIterator)
_CONTAINERS = frozenset((list, tuple, dict))
_LATER = (Awaitable, concurrent.futures.Future, *_NOT_BEGUN, *_ITERATORS)
_LOOK_SECONDS = 1.0
_TASK_SECONDS = 5.0  # how long tasks that handlers left are waited for when the loop is closed


class EventLoops:
    """The event loops of one application, made when they are first needed. Safe for several threads.

    A coroutine runs on an event loop kept here, or on the loop that its dispatch was awaited on (`lent`). Where the
    calling thread's own loop is running, it runs on a loop of its own, in a thread, while that one stands still.
    """

    def __init__(self) -> None:
        self._runners: list[asyncio.Runner] = []
        self._told: set[str] = set()  # the coroutines that were left
        self._lent = threading.local()
        self._pid = os.getpid()

    def complete(self, result: object, deadline: float | None = None) -> object:
        """Wait for the work behind a result, and return its result; a plain value is returned as it is.

        The items of a list, a tuple or a dict are completed too, but not values nested in them. Awaitables run
        concurrently, and the first error counts.

        Args:
            result: The result of a handler.
            deadline: Monotonic seconds at which to give up.

        Raises:
            TimeIsUp: The deadline has passed.
            UnrecoverableError: The result is a generator or an iterator, of which nothing has run.
            Exception: What the work raised.
        """
        while result is not None:
            if isinstance(result, concurrent.futures.Future):
                if not concurrent.futures.wait((result,), _left(deadline)).done:
                    raise TimeIsUp
                result = result.result()
            elif inspect.isawaitable(result):  # also the generator of a @types.coroutine
                result = self._run(result, deadline)
            elif type(result) in _CONTAINERS:
                before, result = result, self._completed_items(result, deadline)
                if result is before:
                    break
            else:
                _refuse_what_has_not_begun(result)
                break
        return result

    def _completed_items(self, container: Any, deadline: float | None) -> object:
        """A list, tuple or dict with the results of its awaitables in their place; itself when it has none."""
        items = container.values() if isinstance(container, dict) else container
        if not any(issubclass(kind, _LATER) for kind in set(map(type, items))):
            return container
        items = list(items)
        awaited = [item for item in items if inspect.isawaitable(item) and not isinstance(item, asyncio.Future)]
        futures = [item for item in items if isinstance(item, asyncio.Future | concurrent.futures.Future)]
        for item in items:
            if not inspect.isawaitable(item):
                _refuse_what_has_not_begun(item, container)
        if not awaited and not futures:
            return container
        results = dict(zip(map(id, awaited), self._run(_gathered(awaited), deadline), strict=True)) if awaited else {}
        results |= {id(future): self.complete(future, deadline) for future in futures}
        items = [results.get(id(item), item) for item in items]
        return dict(zip(container, items, strict=True)) if isinstance(container, dict) else type(container)(items)

    @contextlib.contextmanager
    def lent(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """Inside, in this thread, coroutines run on `loop`, which runs in another thread."""
        before = getattr(self._lent, "loop", None)
        self._lent.loop = loop
        try:
            yield
        finally:
            self._lent.loop = before

    def finish_tasks(self) -> None:
        """Wait for the tasks that handlers left, 5 seconds at most; the log names them, also the cancelled ones."""
        for runner in self._runners:
            loop = runner.get_loop()
            until = time.monotonic() + _TASK_SECONDS
            if asyncio.all_tasks(loop):
                log.info("tasks_pending: waiting for what async handlers left: %s", _names(loop))
            while asyncio.all_tasks(loop) and (left := until - time.monotonic()) > 0:
                _run_to_its_end(runner, _wait_for(asyncio.all_tasks(loop), left))
            if asyncio.all_tasks(loop):
                log.warning(
                    "tasks_cancelled: async handlers left these, still pending after %g s: %s",
                    _TASK_SECONDS,
                    _names(loop),
                )
                for task in asyncio.all_tasks(loop):
                    task.cancel()
                _run_to_its_end(runner, _wait_for(asyncio.all_tasks(loop), 1.0))

    def close(self) -> None:
        """Finish the tasks and close the loops; another call makes new ones."""
        self._forget_inherited()
        self.finish_tasks()
        while self._runners:
            self._runners.pop().close()

    def _run(self, awaitable: Awaitable[T], deadline: float | None) -> Any:
        work = _until(awaitable, _left(deadline))
        running = _running_loop()
        loop = awaitable.get_loop() if isinstance(awaitable, asyncio.Future) else None
        if loop is not None and loop is running:
            work.close()
            raise MessengerError(
                "it returned a task of the event loop on which dispatch() was called, and that stands still until "
                "dispatch() returns: use await dispatch_async()"
            )
        if loop is None and running is None:
            loop = getattr(self._lent, "loop", None)
        if loop is not None and loop.is_running():
            return _run_there(work, loop)
        if loop is not None:
            return loop.run_until_complete(work)
        if running is None:
            return self._run_here(work)
        return in_thread(partial(copy_context().run, asyncio.run, _with_its_tasks(work))).result()

    def _run_here(self, work: Coroutine[Any, Any, object]) -> object:
        self._forget_inherited()
        try:
            runner = self._runners.pop()  # the same one again and again, for what handlers keep in it
        except IndexError:
            runner = asyncio.Runner()
        try:
            return _run_to_its_end(runner, work)
        finally:
            self._runners.append(runner)
            self._tell_what_is_left(runner.get_loop())

    def _tell_what_is_left(self, loop: asyncio.AbstractEventLoop) -> None:
        """Say once of each coroutine that a handler did not await it."""
        names = {getattr(task.get_coro(), "__qualname__", "?") for task in asyncio.all_tasks(loop)} - self._told
        if names:
            self._told |= names
            log.info(
                "tasks_left: not awaited by a handler, so they go on only while another async handler runs: %s",
                ", ".join(sorted(names)),
            )

    def _forget_inherited(self) -> None:
        """A loop belongs to the process that made it: after a fork it would share its selector with the parent's."""
        if self._pid != os.getpid():
            self._inherited = self._runners  # kept: closing them here would change the parent's
            self._runners, self._pid = [], os.getpid()


def _run_to_its_end(runner: asyncio.Runner, work: Coroutine[Any, Any, object]) -> object:
    """The result of a coroutine, also where another task or a callback raises what stops the loop in the middle.

    asyncio stops the loop for KeyboardInterrupt and SystemExit. Here they are of the task that raised them and of what
    awaits it, as any other error: the rest goes on.
    """
    began: list[asyncio.Task[object]] = []
    try:
        return runner.run(_noted(work, began), context=copy_context())
    except (KeyboardInterrupt, SystemExit) as error:
        loop, stopped_by = runner.get_loop(), repr(error)
        _end_round(loop)
        main = began[0]
        if is_ctrl_c(error):
            main.cancel()
            _end_round(loop)
            raise
    while not main.done():
        log.error("task_exited: a task or a callback of an async handler raised %s; the rest goes on", stopped_by)
        try:
            loop.run_until_complete(main)
        except (KeyboardInterrupt, SystemExit) as error:
            stopped_by = repr(error)
            _end_round(loop)
    return main.result()


async def _noted(work: Coroutine[Any, Any, object], began: list[asyncio.Task[object]]) -> object:
    began += filter(None, (asyncio.current_task(),))
    return await work


def _end_round(loop: asyncio.AbstractEventLoop) -> None:
    """Run what is ready on a loop that was stopped in the middle; a main task that is done would stop the next run."""
    while True:
        loop.call_soon(loop.stop)
        with contextlib.suppress(KeyboardInterrupt, SystemExit):
            loop.run_forever()
            return


def _run_there(work: Coroutine[Any, Any, object], loop: asyncio.AbstractEventLoop) -> object:
    """The result of a coroutine that runs on the loop of another thread."""
    done = asyncio.run_coroutine_threadsafe(work, loop)
    while not concurrent.futures.wait((done,), _LOOK_SECONDS).done:
        if loop.is_closed():  # nothing runs there any more, and nothing was cancelled
            work.close()
            raise MessengerError("the event loop that dispatch_async() was called on was closed before it was done")
    return done.result()


def in_thread(call: Callable[[], T]) -> concurrent.futures.Future[T]:
    """Call a function in a new thread. Return a future of its result."""
    done: concurrent.futures.Future[T] = concurrent.futures.Future()
    done.set_running_or_notify_cancel()  # it cannot be cancelled any more

    def run() -> None:
        try:
            done.set_result(call())
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=run, name="messenger-async", daemon=True).start()
    return done


async def _with_its_tasks(work: Coroutine[Any, Any, object]) -> object:
    try:
        return await work
    finally:
        await _wait_for(asyncio.all_tasks() - {asyncio.current_task()}, None)


async def _wait_for(tasks: set[asyncio.Task[Any]], seconds: float | None) -> None:
    if tasks:
        await asyncio.wait(tasks, timeout=seconds)


async def _gathered(awaitables: Sequence[Awaitable[object]]) -> list[object]:
    """The results; the first error once all have ended."""
    futures = [asyncio.ensure_future(awaitable) for awaitable in awaitables]
    await asyncio.gather(*futures, return_exceptions=True)
    return [future.result() for future in futures]


async def _until(awaitable: Awaitable[object], seconds: float | None) -> object:
    try:
        async with asyncio.timeout(seconds) as scope:
            with ForksEnd():
                return await awaitable
    except TimeoutError:
        if scope.expired():
            raise TimeIsUp from None
        raise
    except SystemExit as error:  # it would end the loop, which may be the application's
        raise RuntimeError(f"it called exit({error.code!r})") from None


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def _names(loop: asyncio.AbstractEventLoop) -> str:
    tasks = asyncio.all_tasks(loop)
    return ", ".join(sorted(f"{getattr(task.get_coro(), '__qualname__', '?')} ({task.get_name()})" for task in tasks))


def _refuse_what_has_not_begun(thing: object, container: object = None) -> None:
    """Raise UnrecoverableError for a generator and the like. container: what it stands in."""
    if isinstance(thing, _NOT_BEGUN) or (isinstance(thing, _ITERATORS) and not hasattr(thing, "close")):
        kind = {GeneratorType: "a generator", AsyncGeneratorType: "an async generator"}.get(type(thing))
        within = f"a {type(container).__name__} with " if container is not None else ""
        raise UnrecoverableError(
            f"it returned {within}{kind or f'a {type(thing).__name__} object'}, and nothing of it has run: do the work "
            "before returning, or write an async def without yield"
        )
