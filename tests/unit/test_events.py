"""Listeners of a worker's events."""

from __future__ import annotations

from messenger import DelayStamp, Envelope
from messenger.events import EventDispatcher, WorkerMessageReceived
from messenger.stamps import BusNameStamp


def received(*stamps: DelayStamp | BusNameStamp) -> WorkerMessageReceived:
    return WorkerMessageReceived(Envelope("message", stamps), "async")


def test_listeners_of_the_worker_come_before_those_of_the_application() -> None:
    heard: list[str] = []
    application = EventDispatcher()
    worker = EventDispatcher(application)
    application.listen(WorkerMessageReceived, lambda _: heard.append("application"))
    worker.listen(WorkerMessageReceived, lambda _: heard.append("worker"))
    worker.dispatch(received())
    assert heard == ["worker", "application"]
    application.dispatch(received())
    assert heard == ["worker", "application", "application"]


def test_a_listener_may_ask_for_messages_with_a_stamp_only() -> None:
    heard: list[WorkerMessageReceived] = []
    events = EventDispatcher()
    events.listen(WorkerMessageReceived, heard.append, only_with=DelayStamp)
    events.dispatch(received(BusNameStamp("bus")))
    events.dispatch(with_delay := received(BusNameStamp("bus"), DelayStamp(1)))
    assert heard == [with_delay]
