"""What a handler, a middleware or a hook returns decides whether its work is done, not how its function looks."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Callable

import pytest

from messenger import ConfigError, HandlerDefinitionError, HandlerFailed, MessengerError, ask
from messenger.envelope import Envelope
from messenger.events import EventDispatcher, WorkerRunning
from messenger.worker import Worker, WorkerOptions
from messenger.worker.limits import Limits
from tests.support.application_project import Project

MODULE = """
import asyncio, contextlib, functools, itertools, types
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from messenger import Acknowledger, Application, Batch, MessageBus, handler

ran = []
pool = ThreadPoolExecutor(1)

@dataclass
class A:
    n: int = 1

@dataclass
class B:
    n: int = 1

async def work(m):
    await asyncio.sleep(0)
    ran.append(m.n)
    return m.n

def without_wraps(f):
    def inner(m: A):
        return f(m)
    return inner

def async_without_await(f):
    async def inner(m: A):
        return f(m)
    return inner
"""
AWAITED = {
    "a decorator without wraps": "@handler\n@without_wraps\nasync def a(m: A): return await work(m)",
    "an async decorator that does not await": "@handler\n@async_without_await\nasync def a(m: A): return await work(m)",
    "a plain function": "@handler\ndef a(m: A): return work(m)",
    "a lambda": "a = handler(handles=A)(lambda m: work(m))",
    "a class": "@handler\nclass a:\n    def __call__(self, m: A): return work(m)",
    "a future of a thread": "@handler\ndef a(m: A): return pool.submit(lambda: ran.append(m.n) or m.n)",
    "a future of a thread with a coroutine": "@handler\ndef a(m: A): return pool.submit(work, m)",
    "a task of a loop of its own": (
        "loop = asyncio.new_event_loop()\n@handler\ndef a(m: A): return loop.create_task(work(m))\n"
        "def setup(application): loop_closer.append(loop)\nloop_closer = []"
    ),
    "an awaitable object": (
        "class Later:\n    def __init__(self, m): self.m = m\n"
        "    def __await__(self): return work(self.m).__await__()\n"
        "@handler\ndef a(m: A): return Later(m)"
    ),
    "the generator of a types.coroutine": (
        "@types.coroutine\ndef c(m):\n    return (yield from work(m).__await__())\n@handler\ndef a(m: A): return c(m)"
    ),
    "a batch handler": "@handler(batch=Batch())\ndef a(m: list[A]): return asyncio.wait_for(work(m[0]), 5)",
}
NEVER_BEGUN = {
    "a generator": "@handler\n@without_wraps\ndef a(m: A):\n    ran.append(m.n)\n    yield",
    "an async generator": "@handler\n@without_wraps\nasync def a(m: A):\n    ran.append(m.n)\n    yield",
    "a context manager": "@handler\n@contextlib.contextmanager\ndef a(m: A):\n    ran.append(m.n)\n    yield",
    "a map": "@handler\ndef a(m: A): return map(ran.append, [m.n])",
    "a generator in a coroutine": "@handler\nasync def a(m: A): return (ran.append(m.n) for _ in [1])",
    "a generator in a list": "@handler\ndef a(m: A): return [1, (ran.append(m.n) for _ in [1])]",
    "a generator in a dict of a coroutine": "@handler\nasync def a(m: A): return {'a': (ran.append(1) for _ in [1])}",
    "a chain": "@handler\ndef a(m: A): return itertools.chain(ran.append(m.n) for _ in [1])",
    "a zip": "@handler\ndef a(m: A): return zip((ran.append(m.n) for _ in [1]), [1])",
    "an iterator": (
        "class It:\n    def __iter__(self): return self\n    def __next__(self): ran.append(1)\n"
        "@handler\ndef a(m: A): return It()"
    ),
    "an async iterator": (
        "class It:\n    def __aiter__(self): return self\n    async def __anext__(self): ran.append(1)\n"
        "@handler\ndef a(m: A): return It()"
    ),
    "what is acknowledged": (
        "@handler(batch=Batch())\ndef a(ms: list[A], ack: Acknowledger[A]): ack.ack(ms[0], (ran.append(1) for _ in ms))"
    ),
}


@pytest.mark.parametrize("text", AWAITED.values(), ids=AWAITED)
def test_what_can_be_awaited_is_awaited(project: Project, text: str) -> None:
    application = project.load(module=f"{MODULE}\n{text}\n")
    envelope = application.dispatch(project.A(7))
    assert project.ran == [7]
    if "batch" not in text:
        assert ask(application.bus, project.A(8)) == 8
    assert envelope.message == project.A(7)
    application.close()
    if hasattr(project, "loop"):
        project.loop.close()


WITHIN = {
    "[work(m), work(m)]": [7, 7],
    "(work(m), 'x')": (7, "x"),
    "{'a': work(m), 'b': 1}": {"a": 7, "b": 1},
    "[pool.submit(int, m.n), work(m), None]": [7, 7, None],
    "[pool.submit(work, m)]": [7],
    "inside([work(m)])": [7],
    "tasks(m)": [7, 7],
    "[1, 'x', {}]": [1, "x", {}],
}


@pytest.mark.parametrize("value", WITHIN)
def test_what_can_be_awaited_in_a_list_a_tuple_or_a_dict_is_awaited(project: Project, value: str) -> None:
    text = "async def inside(value): return value\n"
    text += "async def tasks(m): return [asyncio.create_task(work(m)), asyncio.create_task(work(m))]\n"
    application = project.load(module=f"{MODULE}\n{text}@handler\ndef a(m: A): return {value}\n")
    assert ask(application.bus, project.A(7)) == WITHIN[value]
    assert len(project.ran) == value.count("work(m)") + 2 * value.count("tasks(m)") + value.count("submit(work")
    application.close()


@pytest.mark.parametrize(
    "value", ["[pool.submit(fail), work(m)]", "[fail(), work(m)]", "(inner(), work(m))", "{1: inner()}", "acked"]
)
def test_the_first_error_within_is_the_error_of_the_handler(project: Project, value: str) -> None:
    text = "def fail(): return 1 / 0\nasync def inner(): return fail()\n@handler\ndef a(m: A): return VALUE\n"
    if value == "acked":
        text = text.replace(
            "@handler\ndef a(m: A)", "@handler(batch=Batch())\ndef a(ms: list[A], ack: Acknowledger[A])"
        )
    text = text.replace("VALUE", "ack.ack(ms[0], inner())" if value == "acked" else value)
    application = project.load(module=f"{MODULE}\n{text}")
    with pytest.raises(HandlerFailed, match="ZeroDivisionError"):
        application.dispatch(project.A(7))
    application.close()


def test_a_batch_handler_may_return_one_coroutine_for_each_message(project: Project) -> None:
    text = "@handler(batch=Batch())\ndef a(ms: list[A]): return [work(m) for m in ms]\n"
    text += "@handler(batch=Batch())\ndef b(ms: list[B], ack: Acknowledger[B]):\n"
    text += "    for m in ms: ack.ack(m, work(m))\n"
    application = project.load("  routing: {'*': async}", module=f"{MODULE}\n{text}")
    for message in (project.A(1), project.A(2), project.B(3), project.B(4)):
        application.dispatch(message)
    Worker(application, ["async"], WorkerOptions(limits=Limits(messages=4))).run()
    assert sorted(project.ran) == [1, 2, 3, 4]
    application.close()


def test_a_cursor_or_a_file_is_no_work_that_waits(project: Project) -> None:
    text = "import sqlite3\ndb = sqlite3.connect(':memory:')\n"
    text += (
        "@handler\ndef a(m: A): return db.execute('CREATE TABLE t (n)')\n@handler\ndef b(m: B): return open(__file__)\n"
    )
    application = project.load(module=f"{MODULE}\n{text}")
    application.dispatch(project.A())
    ask(application.bus, project.B()).close()
    project.db.close()


@pytest.mark.parametrize("text", NEVER_BEGUN.values(), ids=NEVER_BEGUN)
def test_what_has_not_begun_to_run_is_a_failure(project: Project, text: str) -> None:
    application = project.load(module=f"{MODULE}\n{text}\n")
    with pytest.raises(HandlerFailed, match=r"it returned .*, and nothing of it has run"):
        application.dispatch(project.A())
    assert project.ran == []
    application.close()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("def a(m: A): yield", "it is a generator"),
        ("async def a(m: A): yield", "it is a generator"),
        ("class a:\n    def __call__(self, m: A): yield", "it is a generator"),
        ("def a(*, m: A): ...", "parameter 'm' is taken by name only; the message is given by position"),
        ("async def a(*, m: A): ...", "parameter 'm' is taken by name only"),
        ("class a:\n    def __call__(self, *, m: A): ...", "parameter 'm' is taken by name only"),
        ("def a(**m: A): ...", "parameter 'm' is taken by name only"),
    ],
)
def test_what_would_fail_on_every_message_is_refused_at_load(project: Project, text: str, why: str) -> None:
    with pytest.raises(HandlerDefinitionError, match=rf"\.py:\d+: handler 'a': {re.escape(why)}"):
        project.load(module=f"{MODULE}\n@handler\n{text}\n")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a = handler(handles=A)(functools.partial(work))", "it is a partial object; allowed: a function, or a class"),
        ("class K:\n    async def __call__(self, m: A): ...\na = handler(handles=A)(K())", "it is a K object"),
        ("class K:\n    def go(self, m: A): ...\na = handler(K().go)", "it is a method object"),
        ("class K:\n    @handler\n    @staticmethod\n    def a(m: A): ...", "it stands inside a class"),
        ("class K:\n    @handler\n    class a:\n        def __call__(self, m: A): ...", "it stands inside a class"),
    ],
)
def test_what_would_never_be_found_is_refused_where_it_stands(project: Project, text: str, why: str) -> None:
    with pytest.raises(HandlerDefinitionError, match=re.escape(why)):
        project.load(module=f"{MODULE}\n{text}\n")


def test_also_where_the_class_is_not_read_from_the_annotation(project: Project) -> None:
    with pytest.raises(HandlerDefinitionError, match="'m' is taken by name only"):
        project.load(module=f"{MODULE}\n@handler(handles=A)\ndef a(*, m): ...\n")
    project.forget()
    with pytest.raises(HandlerDefinitionError, match="it takes no message"):
        project.load(module=f"{MODULE}\n@handler(handles='*')\ndef a(): ...\n")


def test_the_time_limit_is_for_both_parts_together(project: Project) -> None:
    text = "@handler(timeout=0.05)\ndef a(m: A): return asyncio.sleep(60)\n"
    text += "@handler(timeout=0.05)\ndef b(m: B): return pool.submit(event.wait)\nimport threading\n"
    text += "event = threading.Event()\n"
    application = project.load(module=f"{MODULE}\n{text}")
    for message in (project.A(), project.B()):
        with pytest.raises(HandlerFailed, match=r"HandlerTimedOut: .* 0\.05 s"):
            application.dispatch(message)
    project.event.set()
    application.close()


# --- middleware, hooks, listeners, setup -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ("None", "returned NoneType instead of an envelope: return what following"),
        ("following(envelope).message", "returned A instead of an envelope"),
        ("late()", "is async, so nothing of it has run: write a plain def handle"),
    ],
)
def test_a_middleware_that_returns_no_envelope_is_named(project: Project, result: str, message: str) -> None:
    text = f"async def late(): ...\nclass Step:\n    def handle(self, envelope, following): return {result}\n"
    text += "@handler\ndef a(m: A): ...\n"
    application = project.load("  buses: {b: {middleware: [MODULE.Step]}}", module=f"{MODULE}\n{text}")
    with pytest.raises(MessengerError, match=rf"the middleware {project.module}\.Step {message}"):
        application.dispatch(project.A())


def test_an_async_middleware_is_refused_at_load(project: Project) -> None:
    text = "class Step:\n    async def handle(self, envelope, following): ...\n"
    with pytest.raises(ConfigError, match=r"buses\.b\.middleware\[0\]: .*Step' is no middleware: its handle is async"):
        project.load("  buses: {b: {middleware: [MODULE.Step]}}", module=MODULE + text)


def test_reset_hooks_and_setup_are_awaited_where_handlers_run(project: Project) -> None:
    text = """
loops = []
@handler
async def a(m: A): loops.append(asyncio.get_running_loop())
async def setup(application):
    async def hook():
        await asyncio.sleep(0)
        loops.append(asyncio.get_running_loop())
    application.on_reset(hook)
"""
    application = project.load("  setup: MODULE.setup", module=MODULE + text)
    application.dispatch(project.A())
    assert application.reset() is None
    assert len(project.loops) == 2
    assert project.loops[0] is project.loops[1]
    application.close()


def test_an_async_listener_and_a_provided_coroutine_are_refused(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    async def listener(event: WorkerRunning) -> None: ...

    def hidden(event: WorkerRunning) -> None:
        return listener(event)  # type: ignore[return-value]

    events = EventDispatcher()
    with pytest.raises(ConfigError, match="listener is async; allowed: a plain function"):
        events.listen(WorkerRunning, listener)  # type: ignore[arg-type]
    events.listen(WorkerRunning, hidden)
    with caplog.at_level(logging.ERROR):
        events.dispatch(WorkerRunning(idle=True))
    assert re.search(r"listener_not_run .*listener: it is async", caplog.text)
    application = project.load(module=MODULE)
    with pytest.raises(ConfigError, match=r"found the coroutine of .*listener; allowed: the object it returns"):
        application.provide(listener(WorkerRunning(idle=True)))


# --- inside a running event loop -------------------------------------------------------------------------------------

NESTED = """
@handler
async def a(m: A, bus: MessageBus):
    bus.dispatch(B(m.n + 1))
    ran.append(m.n)
@handler
async def b(m: B):
    task = asyncio.create_task(work(A(m.n + 1)))
    task.add_done_callback(lambda _: ran.append("task"))
"""


def test_a_sync_dispatch_inside_a_running_loop_reaches_an_async_handler(project: Project) -> None:
    application = project.load(module=MODULE + NESTED)
    application.dispatch(project.A(1))
    assert project.ran == [3, "task", 1], "what it left is finished before its loop is gone"
    project.ran.clear()

    async def route() -> Envelope[object]:
        return application.dispatch(project.A(1))

    asyncio.run(route())
    assert project.ran == [3, "task", 1]
    application.close()


def test_a_task_of_the_standing_loop_is_refused_with_what_to_do(project: Project) -> None:
    application = project.load(module=MODULE + "@handler\ndef a(m: A): return asyncio.create_task(work(m))\n")

    async def route() -> None:
        application.dispatch(project.A(1))

    with pytest.raises(HandlerFailed, match=r"use await dispatch_async\(\)"):
        asyncio.run(route())


LEFT = """
tasks = set()
async def later(m):
    await asyncio.sleep({seconds})
    ran.append(m.n)
@handler
async def a(m: A): tasks.add(asyncio.create_task(later(m), name="the rest"))
"""


def left(project: Project, seconds: float) -> Callable[[], int]:
    text = MODULE + LEFT.replace("{seconds}", str(seconds))
    application = project.load("  routing: {'*': async}", module=text)
    application.dispatch(project.A(5))
    return Worker(application, ["async"], WorkerOptions(limits=Limits(messages=1))).run


def test_tasks_that_an_async_handler_left_are_finished_when_the_worker_stops(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert left(project, 0.2)() == 0
    assert project.ran == [5]
    assert caplog.text.count("tasks_left: not awaited by a handler, so they go on only while") == 1
    assert "tasks_pending: waiting for what async handlers left: later (the rest)" in caplog.text
    assert "tasks_cancelled" not in caplog.text


def test_those_that_take_too_long_are_named(
    project: Project, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("messenger.concurrency.event_loops._TASK_SECONDS", 0.1)
    with caplog.at_level(logging.INFO):
        assert left(project, 3600)() == 0
    assert project.ran == []
    assert re.search(r"tasks_cancelled: .* still pending after 0\.1 s: later \(the rest\)", caplog.text)


THREAD = """
@handler
async def a(m: A):
    await asyncio.wait_for(asyncio.to_thread(ran.append, m.n), 10)
"""


def test_a_loop_belongs_to_the_process_that_made_it(project: Project) -> None:
    """A loop that was closed in a child would no longer wake in its parent: they would share the selector."""
    application = project.load(module=MODULE + THREAD)
    application.dispatch(project.A(1))
    child = os.fork()
    if not child:
        try:
            application.dispatch(project.A(2))
            application.close()
        finally:
            os._exit(0 if project.ran == [1, 2] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    application.dispatch(project.A(3))
    assert project.ran == [1, 3]
    application.close()
