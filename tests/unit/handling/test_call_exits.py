"""exit() and KeyboardInterrupt in the tasks of async handlers: each message keeps its own outcome."""

from __future__ import annotations

import re

import pytest

from messenger.worker import Worker, WorkerOptions
from messenger.worker.limits import Limits
from tests.support.application_project import Project

MODULE = """
import asyncio
from dataclasses import dataclass
from messenger import handler

ran = []
tasks = []

@dataclass
class A:
    n: int = 1

@dataclass
class B:
    n: int = 1

async def leave(seconds=0):
    await asyncio.sleep(seconds)
    raise WHAT

@handler
async def a(m: A):
    loop = asyncio.get_running_loop()
    BODY
    ran.append("a")

@handler
async def b(m: B):
    for _ in range(10):
        await asyncio.sleep(0.01)
    ran.append(("b", m.n))
"""
WHAT = ("SystemExit(4)", "KeyboardInterrupt")
BODIES = {
    "awaited": ("await asyncio.create_task(leave())", False),
    "awaited after its end": ("t = asyncio.create_task(leave()); await asyncio.sleep(0.02); await t", False),
    "gathered": ("await asyncio.gather(asyncio.sleep(60), leave())", False),
    "in a TaskGroup": ("async with asyncio.TaskGroup() as group: group.create_task(leave())", False),
    "not awaited": ("tasks.append(asyncio.create_task(leave())); await asyncio.sleep(0.02)", True),
    "left": ("tasks.append(asyncio.create_task(leave()))", True),
    "left, and it ends while the next one runs": ("tasks.append(asyncio.create_task(leave(0.03)))", True),
    "left, and it ends after the last one": ("tasks.append(asyncio.create_task(leave(0.5)))", True),
    "a callback": ("loop.call_soon(exec, 'raise WHAT')", True),
    "a callback while the next one runs": ("loop.call_later(0.03, exec, 'raise WHAT')", True),
}


@pytest.mark.parametrize("what", WHAT)
@pytest.mark.parametrize(("body", "is_handled"), BODIES.values(), ids=BODIES)
def test_each_message_has_its_own_outcome(
    project: Project, caplog: pytest.LogCaptureFixture, body: str, is_handled: bool, what: str
) -> None:
    module = MODULE.replace("BODY", body).replace("WHAT", what)
    transports = "async: {dsn: 'in-memory://', retry_strategy: {max_retries: 0}}"
    application = project.load("  routing: {'*': async}", module=module, transports=transports)
    for message in (project.A(), project.B(1), project.B(2)):
        application.dispatch(message)
    with caplog.at_level("INFO"):
        assert Worker(application, ["async"], WorkerOptions(limits=Limits(messages=3))).run() == 0
    assert project.ran == [*["a"] * is_handled, ("b", 1), ("b", 2)]
    outcomes = re.findall(r"message_(handled|failed) .*?type=\w+\.(\w)", caplog.text)
    assert outcomes == [("handled" if is_handled else "failed", "A"), ("handled", "B"), ("handled", "B")]
    application.close()
