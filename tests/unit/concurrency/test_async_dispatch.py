"""dispatch_async(): the loop of an async caller goes on while a message is sent or handled."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from typing import Any

import pytest

from messenger import Application, HandlerFailed, MessageBus, NotOneResult, ask_async
from messenger.concurrency.async_dispatch import THREAD_NAME, AsyncDispatch
from messenger.concurrency.event_loops import EventLoops
from messenger.stamps import HandledStamp
from messenger.testing import InMemoryApplication
from messenger.worker.deadline import left_behind
from tests.support.application_project import Project

MODULE = """
import asyncio, threading
from contextvars import ContextVar
from dataclasses import dataclass
from messenger import MessageBus, handler

tenant = ContextVar("tenant", default="-")
released = threading.Event()
ran = []

@dataclass
class Blocking:
    n: int = 0

@dataclass
class Async:
    n: int = 0

@dataclass
class Parent:
    n: int = 0
    depth: int = 2

@dataclass
class Exits:
    n: int = 0

@handler
def blocking(m: Blocking):
    assert released.wait(20)
    return tenant.get()

@handler
async def on_async(m: Async):
    await asyncio.sleep(0)
    ran.append((asyncio.get_running_loop(), tenant.get()))
    tenant.set("handler")
    return m.n

@handler
async def parent(m: Parent, bus: MessageBus):
    await asyncio.sleep(0.01)
    if m.depth:
        await bus.dispatch_async(Parent(m.n, m.depth - 1))
    ran.append(m.n)

@dataclass
class Waits:
    n: int = 0

@handler
async def waits(m: Waits):
    ran.append("waits")
    await asyncio.Event().wait()

@handler
async def exits(m: Exits):
    raise SystemExit(3)
"""


@pytest.fixture
def application(project: Project) -> Application:
    return project.load(module=MODULE)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    async def within() -> Any:
        async with asyncio.timeout(30):
            return await work

    return asyncio.run(within())


def test_the_loop_goes_on_while_a_handler_blocks(project: Project, application: Application) -> None:
    async def work() -> list[HandledStamp | None]:
        project.tenant.set("acme")
        dispatches = [asyncio.create_task(application.dispatch_async(project.Blocking(n))) for n in range(40)]
        await asyncio.sleep(0.05)
        project.released.set()  # by the loop, which would stand still
        return [(await each).last(HandledStamp) for each in dispatches]

    stamps = run(work())
    assert [stamp.result for stamp in stamps] == ["acme"] * 40, "the caller's context is the handler's"
    application.close()


def test_async_handlers_run_on_the_callers_loop(project: Project, application: Application) -> None:
    async def work() -> None:
        project.tenant.set("acme")
        assert await ask_async(application.bus, project.Async(5)) == 5
        assert await ask_async(application.bus, project.Async(6)) == 6
        assert project.ran == [(asyncio.get_running_loop(), "acme")] * 2
        with pytest.raises(NotOneResult):
            await ask_async(MessageBus([]), project.Async(6))

    run(work())
    application.close()


def test_handlers_that_dispatch_again_never_wait_for_a_thread(project: Project, application: Application) -> None:
    """Each of these holds a thread while its handler waits for the next one: more than there are threads."""

    async def work() -> None:
        await asyncio.gather(*(application.dispatch_async(project.Parent(n)) for n in range(100)))

    run(work())
    assert sorted(project.ran) == sorted([*range(100)] * 3)
    application.close()


def test_a_caller_waits_no_longer_than_it_wants_to(project: Project, application: Application) -> None:
    async def work() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await application.dispatch_async(project.Blocking())
        project.released.set()

    run(work())
    application.close()


def test_exit_in_a_handler_leaves_the_callers_loop_running(project: Project, application: Application) -> None:
    async def work() -> str:
        with pytest.raises(HandlerFailed, match=r"it called exit\(3\)"):
            await application.dispatch_async(project.Exits())
        await asyncio.sleep(0)
        return "goes on"

    assert run(work()) == "goes on"
    application.close()


def test_messages_are_processed_in_an_async_test(project: Project) -> None:
    project.load("  routing: {MODULE.Async: async}", module=MODULE).close()
    messenger = InMemoryApplication.load(project.directory / "messenger.yaml", {})

    async def test() -> None:
        await messenger.application.dispatch_async(project.Async(5))
        assert project.ran == []
        assert messenger.process() == 1
        assert len(project.ran) == 1

    run(test())
    messenger.transport("async").assert_handled(project.Async, times=1, n=5)
    messenger.close()


def test_a_loop_that_was_closed_holds_no_thread(
    project: Project, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("messenger.concurrency.event_loops._LOOK_SECONDS", 0.05)
    loop = asyncio.new_event_loop()

    async def work() -> asyncio.Task[Any]:
        dispatched = asyncio.create_task(application.dispatch_async(project.Waits()))
        while not project.ran:
            await asyncio.sleep(0.01)
        return dispatched

    dispatched = loop.run_until_complete(work())
    threads = [each for each in threading.enumerate() if each.name.startswith("messenger-dispatch")]
    for task in asyncio.all_tasks(loop):
        task._log_destroy_pending = False  # type: ignore[attr-defined]
    loop.close()
    application.close()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert not dispatched.done()


def test_a_forked_process_has_threads_of_its_own(project: Project, application: Application) -> None:
    run(application.dispatch_async(project.Async()))
    child = os.fork()
    if not child:
        threading.Timer(20, os._exit, (2,)).start()
        try:
            run(application.dispatch_async(project.Async()))
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    application.close()


def test_its_threads_are_none_that_handlers_left_running() -> None:
    dispatches = AsyncDispatch(EventLoops())
    try:
        asyncio.run(dispatches.run(lambda: None))
        assert any(thread.name.startswith(THREAD_NAME) for thread in threading.enumerate())
        assert THREAD_NAME not in left_behind()
    finally:
        dispatches.close()
