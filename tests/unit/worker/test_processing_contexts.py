"""Each message is handled in a context of its own: no context variable crosses from one message to another."""

from __future__ import annotations

from messenger.worker import Worker, WorkerOptions
from messenger.worker.limits import Limits
from tests.support.application_project import Project

MODULE = """
import asyncio
from contextvars import ContextVar
from dataclasses import dataclass
from messenger import Batch, DispatchAfterCurrentBusStamp, MessageBus, handler

tenant = ContextVar("tenant", default="-")
seen = []


class Tenant:
    '''Sets it and does not take it back.'''

    def handle(self, envelope, following):
        seen.append(("middleware", tenant.get()))
        tenant.set(envelope.message.tenant)
        return following(envelope)


@dataclass
class Bill:
    tenant: str


@dataclass
class AsyncBill:
    tenant: str


@dataclass
class BatchBill:
    tenant: str


@dataclass
class Nest:
    tenant: str


@handler
def bill(m: Bill):
    seen.append((m.tenant, tenant.get()))
    tenant.set("handler of " + m.tenant)


@handler
async def async_bill(m: AsyncBill):
    await asyncio.sleep(0)
    seen.append((m.tenant, tenant.get()))
    tenant.set("handler of " + m.tenant)


@handler(batch=Batch(size=2))
def batch_bill(bills: list[BatchBill]):
    seen.append((len(bills), tenant.get()))
    tenant.set("batch")


@handler
def nest(m: Nest, bus: MessageBus):
    bus.dispatch(Bill("inner"))
    bus.dispatch(AsyncBill("inner async"))
    bus.dispatch(Bill("late"), [DispatchAfterCurrentBusStamp()])
    tenant.set("changed afterwards")
    bus.dispatch(AsyncBill("later"), [DispatchAfterCurrentBusStamp()])
    seen.append((m.tenant, "changed afterwards"))
"""
YAML = "  routing: {'MODULE.*': [async]}\n  buses: {b: {middleware: [MODULE.Tenant]}}"


def test_what_middleware_sets_is_seen_by_the_handlers_of_this_message_and_by_no_other(project: Project) -> None:
    application = project.load("  buses: {b: {middleware: [MODULE.Tenant]}}", module=MODULE)
    for name in ("acme", "globex", "initech"):
        application.dispatch(project.Bill(name))
        application.dispatch(project.AsyncBill(name))
    names = [name for name in ("acme", "globex", "initech") for _ in range(2)]
    assert project.seen == [step for name in names for step in (("middleware", "-"), (name, name))]
    assert project.tenant.get() == "-", "the caller's context is as it was"
    application.close()


def test_a_nested_or_a_following_message_has_the_context_in_which_it_was_dispatched(project: Project) -> None:
    application = project.load("  buses: {b: {middleware: [MODULE.Tenant]}}", module=MODULE)
    application.dispatch(project.Nest("outer"))
    assert project.seen == [
        ("middleware", "-"),
        ("middleware", "outer"),
        ("inner", "inner"),
        ("middleware", "outer"),
        ("inner async", "inner async"),
        ("outer", "changed afterwards"),
        ("middleware", "outer"),
        ("late", "late"),
        ("middleware", "changed afterwards"),
        ("later", "later"),
    ]
    application.close()


LISTENERS = """
def setup(application):
    from messenger.events import WorkerMessageReceived

    def received(event):
        seen.append(("listener", tenant.get()))
        tenant.set("listener")

    def reset():
        seen.append(("reset", tenant.get()))
        tenant.set("reset")

    application.events.listen(WorkerMessageReceived, received)
    application.on_reset(reset)
"""


def test_a_worker_keeps_listeners_hooks_and_batches_apart_as_well(project: Project) -> None:
    application = project.load(YAML + "\n  setup: MODULE.setup", module=MODULE + LISTENERS)
    for message in (project.Bill("a"), project.AsyncBill("b"), project.BatchBill("c"), project.BatchBill("d")):
        application.dispatch(message)
    project.seen.clear()
    options = WorkerOptions(limits=Limits(messages=4), sleep=0.01, fetch_size=10)
    assert Worker(application, ["async"], options).run() == 0
    of_each = [("listener", "-"), ("middleware", "listener")]
    assert project.seen == [
        *of_each,
        ("a", "a"),
        ("reset", "-"),
        *of_each,
        ("b", "b"),
        ("reset", "-"),
        *of_each,
        ("reset", "-"),
        *of_each,
        (2, "-"),
        ("reset", "-"),
        ("reset", "-"),
    ]
