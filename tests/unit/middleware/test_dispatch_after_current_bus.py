"""DispatchAfterCurrentBusStamp: what a handler dispatches with it waits until the outermost dispatch is over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from messenger import (
    DelayedMessageHandlingFailed,
    DispatchAfterCurrentBusStamp,
    HandlerFailed,
    MessageBus,
    RecoverableError,
    UnrecoverableError,
)
from messenger.concurrency.event_loops import EventLoops
from messenger.errors import causes
from messenger.failure.retry import MultiplierRetryStrategy, should_retry
from messenger.handling.arguments import HandlerArguments
from messenger.handling.batch import Batches
from messenger.handling.call import HandlerCaller
from messenger.handling.registry import Handler, HandlerOptions, HandlerRegistry
from messenger.middleware import DispatchAfterCurrentBus, HandleMessage
from messenger.stamps import HandledStamp, ReceivedStamp
from tests.support.application_project import MODULE, Project

AFTER = [DispatchAfterCurrentBusStamp()]


@dataclass(frozen=True)
class Note:
    name: str


Does = dict[str, Callable[[], object]]


class Script:
    """Two buses on one step; what the handler of each note does is written down by its name."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.does: Does = {}
        registry = HandlerRegistry([Handler("h", self._call, HandlerOptions((Note,)))])
        step, caller, arguments = DispatchAfterCurrentBus(), HandlerCaller(EventLoops()), HandlerArguments(registry)
        handle = HandleMessage(registry, arguments, caller, Batches(caller, arguments), "b")
        self.bus, self.other = (MessageBus([step, handle], name=name) for name in ("a", "b"))

    def _call(self, message: Note) -> None:
        self.ran.append(message.name)
        self.does.get(message.name, lambda: None)()
        self.ran.append(f"end {message.name}")

    def after(self, *names: str) -> Callable[[], object]:
        return lambda: [self.bus.dispatch(Note(name), AFTER) for name in names]

    def fails(self, error: Exception, *names: str) -> Callable[[], object]:
        def do() -> None:
            self.after(*names)()
            raise error

        return do


@pytest.fixture
def script() -> Script:
    return Script()


def test_queued_ones_run_in_order_when_the_root_is_over(script: Script) -> None:
    script.does = {"root": script.after("one", "two"), "one": script.after("three")}
    script.bus.dispatch(Note("root"))
    assert script.ran == ["root", "end root", "one", "end one", "two", "end two", "three", "end three"]


def test_the_root_is_the_outermost_dispatch_on_whatever_bus(script: Script) -> None:
    script.does = {"root": lambda: script.other.dispatch(Note("nested")), "nested": script.after("late")}
    script.bus.dispatch(Note("root"))
    assert script.ran == ["root", "nested", "end nested", "end root", "late", "end late"]


def test_outside_a_dispatch_the_stamp_has_no_effect(script: Script) -> None:
    envelope = script.bus.dispatch(Note("root"), AFTER)
    assert script.ran == ["root", "end root"]
    assert envelope.last(DispatchAfterCurrentBusStamp) is None


def test_the_envelope_of_a_queued_one_comes_back_at_once(script: Script) -> None:
    got: list[Any] = []
    script.does = {"root": lambda: got.append(script.bus.dispatch(Note("late"), AFTER))}
    script.bus.dispatch(Note("root"))
    assert got[0].last(HandledStamp) is None


def test_when_the_root_fails_they_are_dropped_for_good(script: Script) -> None:
    script.does = {"root": script.fails(ValueError("no"), "late")}
    with pytest.raises(HandlerFailed):
        script.bus.dispatch(Note("root"))
    script.bus.dispatch(Note("next"))
    assert script.ran == ["root", "next", "end next"]


def test_failures_are_collected_and_the_children_of_a_failed_one_dropped(script: Script) -> None:
    script.does = {
        "root": script.after("one", "two", "three"),
        "one": script.fails(ValueError("first"), "child of one"),
        "two": script.after("child of two"),
        "three": script.fails(KeyError("second")),
    }
    with pytest.raises(DelayedMessageHandlingFailed, match=r"failed: HandlerFailed: .*first \(and 1 more\)") as caught:
        script.bus.dispatch(Note("root"))
    assert [name for name in script.ran if not name.startswith("end")] == [
        "root",
        "one",
        "two",
        "three",
        "child of two",
    ]
    assert caught.value.envelope.message == Note("root")
    assert [type(cause) for cause in causes(caught.value)] == [ValueError, KeyError]
    script.ran.clear()
    script.bus.dispatch(Note("next"))
    assert script.ran == ["next", "end next"]


def test_an_interrupt_leaves_no_queue_behind(script: Script) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    script.does = {"root": script.after("one", "two"), "one": interrupt}
    with pytest.raises(KeyboardInterrupt):
        script.bus.dispatch(Note("root"))
    script.ran.clear()
    script.bus.dispatch(Note("next"))
    assert script.ran == ["next", "end next"]


@pytest.mark.parametrize(
    ("error", "again"), [(ValueError(), True), (UnrecoverableError(), False), (RecoverableError(), True)]
)
def test_retries_look_at_what_failed_in_the_end(script: Script, error: Exception, again: bool) -> None:
    script.does = {"root": script.after("one"), "one": script.fails(error)}
    with pytest.raises(DelayedMessageHandlingFailed) as caught:
        script.bus.dispatch(Note("root"))
    assert should_retry(caught.value.envelope, caught.value, MultiplierRetryStrategy()) is again


LATE = (
    MODULE
    + """
from messenger import DispatchAfterCurrentBusStamp, MessageBus
@handler(alias="late")
def dispatches(message: Sms, bus: MessageBus):
    bus.dispatch(Mail("after"), [DispatchAfterCurrentBusStamp()])
    ran.append("dispatched")
"""
)


def test_it_is_on_the_chain_of_every_bus_and_knows_a_received_message_as_root(project: Project) -> None:
    application = project.load("  default_bus: a\n  buses: {a: ~, b: ~}\n", module=LATE)
    for bus in application.buses.values():
        project.ran.clear()
        bus.dispatch(project.Sms("hi"), [ReceivedStamp("async")])
        assert project.ran == [("sms", "hi"), "dispatched", ("mail", "after")]
    application.close()


def test_a_routed_one_is_sent_after_the_root_succeeded(project: Project) -> None:
    module = LATE.replace("return message.text.upper()", "raise ValueError('no')")
    for text, sent in ((LATE, 1), (module, 0)):
        application = project.load("  routing: {MODULE.Mail: async}\n", module=text)
        try:
            application.dispatch(project.Sms("hi"))
        except HandlerFailed:
            assert sent == 0
        assert len(application.transport("async").get(0, lambda: False)) == sent
        application.close()
        project.forget()
