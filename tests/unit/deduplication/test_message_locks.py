"""The steps of deduplication inside one process: at dispatch, around handlers, and in messenger.testing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from messenger import (
    ConfigError,
    DeduplicateStamp,
    DelayStamp,
    DispatchAfterCurrentBusStamp,
    DuplicateOfStamp,
    HandledStamp,
    HandlerFailed,
    MessageIdsStamp,
    NotReplicated,
    ReceivedStamp,
    SentStamp,
    TransportNamesStamp,
    TransportUnavailable,
    WorkerMessageFailed,
    WorkerMessageHandled,
    WorkerMessageReceived,
)
from messenger.deduplication.message_locks import MessageLocks
from messenger.envelope import AnyEnvelope, Envelope
from messenger.testing import InMemoryApplication
from tests.support.application_project import Project
from tests.unit.test_imports import modules_after

MODULE = """
from dataclasses import dataclass
from messenger import (DeduplicateStamp, DispatchAfterCurrentBusStamp, MessageBus, MessageIdsStamp, UnrecoverableError,
    handler)

ran = []
inside = []

@dataclass
class Report:
    number: int = 0
    do: str = ""

@dataclass
class Local:
    do: str = ""

@dataclass
class Order:
    do: str = ""

@handler
def on_report(message: Report, bus: MessageBus):
    ran.append(message.number)
    if message.do == "again":
        inside.append(bus.dispatch(Report(2), [DeduplicateStamp("k")]))
    if message.do == "fail":
        raise ValueError("no")
    if message.do == "give up":
        raise UnrecoverableError("never")

@handler
def on_local(message: Local, bus: MessageBus):
    ran.append("local")
    if message.do == "again":
        inside.append(bus.dispatch(Local(), [DeduplicateStamp("k")]))
    if message.do == "fail":
        raise ValueError("no")

@handler
def on_order(message: Order, bus: MessageBus):
    bus.dispatch(Report(), [DeduplicateStamp("k"), DispatchAfterCurrentBusStamp()])
    inside.append(bus.dispatch(Report(), [DeduplicateStamp("k")]))
    if message.do == "fail":
        raise ValueError("no")

class Anonymous:
    # takes the ids away, after the lock was taken

    def handle(self, envelope, following):
        return following(envelope.without_all(MessageIdsStamp))

class Audit:
    def handle(self, envelope, following):
        ran.append("audit")
        return following(envelope)
"""
YAML = """
  failure_transport: failed
  default_bus: one
  buses: {one: {}, two: {middleware: [MODULE.Audit]}, three: {middleware: [MODULE.Anonymous]}}
  routing: {MODULE.Report: async, MODULE.Order: now}
"""
TRANSPORTS = "async: {dsn: 'in-memory://', retry_strategy: {delay: 1000}}, now: 'sync://', failed: 'in-memory://'"
KEY = DeduplicateStamp("k")


class Bench:
    """The application above in memory."""

    def __init__(self, project: Project) -> None:
        project.load(YAML, module=MODULE, transports=TRANSPORTS).close()
        self.module: Any = project
        self.messenger = InMemoryApplication.load(project.directory / "messenger.yaml", {})
        self.queue = self.messenger.transport("async")
        self.application = self.messenger.application
        self.dispatch = self.application.dispatch

    def is_free(self) -> bool:
        """Whether nobody has the lock of the key."""
        probe = Envelope(self.module.Report(), [KEY, MessageIdsStamp("probe", "probe")])
        free = self.application.locks.take(probe) is None
        self.application.locks.release(probe)
        return free


@pytest.fixture
def bench(project: Project) -> Bench:
    return Bench(project)


def is_duplicate_of(envelope: AnyEnvelope, first: AnyEnvelope) -> bool:
    ids = first.last(MessageIdsStamp)
    assert ids is not None
    assert (envelope.last(SentStamp), envelope.last(HandledStamp)) == (None, None)
    return envelope.last(DuplicateOfStamp) == DuplicateOfStamp(ids.message_id)


# --- dispatch -----------------------------------------------------------------------------------------------------


def test_a_duplicate_comes_back_unsent_and_names_the_first(bench: Bench) -> None:
    first = bench.dispatch(bench.module.Report(1), [KEY])
    second = bench.dispatch(bench.module.Report(2), [KEY])
    bench.dispatch(bench.module.Report(3), [DeduplicateStamp("other")])
    bench.dispatch(bench.module.Report(4))
    assert first.last(DuplicateOfStamp) is None
    assert is_duplicate_of(second, first)
    assert [envelope.message.number for envelope in bench.queue.sent] == [1, 3, 4]


def test_all_buses_share_the_keys_and_a_duplicate_reaches_no_middleware(bench: Bench) -> None:
    first = bench.application.buses["one"].dispatch(bench.module.Report(1), [KEY])
    second = bench.application.buses["two"].dispatch(bench.module.Report(2), [KEY])
    assert is_duplicate_of(second, first)
    assert bench.module.ran == []
    bench.application.buses["two"].dispatch(bench.module.Report(3))
    assert bench.module.ran == ["audit"]


def test_an_envelope_that_is_dispatched_again_is_not_its_own_duplicate(bench: Bench) -> None:
    envelope = Envelope(bench.module.Report(1), [KEY, MessageIdsStamp("a", "a")])
    for _ in range(2):
        assert bench.dispatch(envelope).last(SentStamp) is not None


@pytest.mark.parametrize("transport", [None, "now"])
def test_what_is_handled_here_has_the_lock_while_it_is(bench: Bench, transport: str | None) -> None:
    to = [TransportNamesStamp((transport,))] if transport else []
    bench.dispatch(bench.module.Local("again"), [KEY, *to])
    (inner,) = bench.module.inside
    assert inner.last(DuplicateOfStamp) is not None
    assert bench.module.ran == ["local"]
    assert bench.is_free()


@pytest.mark.parametrize("transport", [None, "now"])
def test_a_handler_that_fails_here_frees_it(bench: Bench, transport: str | None) -> None:
    to = [TransportNamesStamp((transport,))] if transport else []
    with pytest.raises(HandlerFailed):
        bench.dispatch(bench.module.Local("fail"), [KEY, *to])
    assert bench.is_free()


def test_what_is_stored_though_its_transport_complains_keeps_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = bench.application.transport("async")
    send = queue.send

    def send_and_complain(envelope: AnyEnvelope) -> AnyEnvelope:
        send(envelope)
        raise NotReplicated

    monkeypatch.setattr(queue, "send", send_and_complain)
    with pytest.raises(NotReplicated):
        bench.dispatch(bench.module.Report(1), [KEY])
    assert not bench.is_free()


def test_what_is_handled_here_and_sent_as_well_keeps_it(bench: Bench) -> None:
    bench.dispatch(bench.module.Report(1), [KEY, TransportNamesStamp(("now", "async"))])
    assert bench.module.ran == [1]
    assert not bench.is_free()
    bench.queue.process()
    assert bench.is_free()


def test_what_waits_for_the_current_message_takes_its_lock_when_its_turn_comes(bench: Bench) -> None:
    with pytest.raises(HandlerFailed):
        bench.dispatch(bench.module.Order("fail"))
    (sent,) = bench.module.inside
    assert sent.last(SentStamp) is not None, "the one that waited had no lock yet"
    bench.queue.process()
    bench.dispatch(bench.module.Order())
    assert len(bench.queue.sent) == 2, "its turn came after the other one was sent"


def test_outside_of_a_handler_it_takes_its_lock_at_once(bench: Bench) -> None:
    bench.dispatch(bench.module.Report(1), [KEY, DispatchAfterCurrentBusStamp()])
    assert not bench.is_free()


def test_a_received_message_without_an_id_is_handled(bench: Bench) -> None:
    """Another program may write the stamp and no id: then nothing can own a lock."""
    bench.dispatch(bench.module.Report(1), [KEY])
    bench.application.dispatch_received(Envelope(bench.module.Report(2), [KEY, ReceivedStamp("async")]))
    assert bench.module.ran == [2]
    assert not bench.is_free()


def test_without_a_control_plane_the_key_to_set_is_named(tmp_path: Path, project: Project) -> None:
    application = project.load("  routing: {MODULE.Report: async}\n", module=MODULE)
    with pytest.raises(ConfigError) as caught:
        application.dispatch(project.Report(), [KEY])
    assert str(caught.value) == (
        f"{tmp_path}/messenger.yaml: a message has a DeduplicateStamp, and there is no Redis for its lock; set "
        "'control: redis://HOST' beside 'transports'"
    )
    assert application.transport("async").depth().ready == 0
    application.dispatch(project.Report())
    assert application.transport("async").depth().ready == 1


def test_nothing_is_imported_when_nothing_is_deduplicated(tmp_path: Path) -> None:
    path = tmp_path / "messenger.yaml"
    path.write_text("messenger: {failure_transport: ~, transports: {a: 'in-memory://'}, routing: {'*': a}}")
    code = (
        "from dataclasses import make_dataclass; from messenger import Application; "
        f"Application.load({str(path)!r}).dispatch(make_dataclass('M', ['x'])(1))"
    )
    assert "messenger.deduplication.in_redis" not in modules_after(code)


# --- messenger.testing --------------------------------------------------------------------------------------------


def test_processing_frees_what_was_handled(bench: Bench) -> None:
    for number in (1, 2):
        bench.dispatch(bench.module.Report(number), [KEY])
    bench.queue.process_or_fail(1)
    bench.dispatch(bench.module.Report(3), [KEY])
    bench.queue.process_or_fail(1)
    assert bench.module.ran == [1, 3]


def test_a_retry_keeps_it_and_the_final_failure_frees_it(bench: Bench) -> None:
    bench.dispatch(bench.module.Report(1, "fail"), [KEY])
    for seconds in (1, 2, 4):
        bench.queue.process(1)
        assert not bench.is_free()
        bench.messenger.clock.advance(seconds)
    bench.queue.process(1)
    assert bench.is_free()


def test_a_retry_later_than_the_ttl_keeps_it_for_that_long(bench: Bench) -> None:
    bench.dispatch(bench.module.Report(1, "fail"), [DeduplicateStamp("k", ttl=3)])
    bench.queue.process(1)
    bench.messenger.clock.advance(3.5)
    assert not bench.is_free()
    bench.messenger.clock.advance(1)
    assert bench.is_free()


def test_the_clock_ends_a_lock_a_ttl_after_the_delay(bench: Bench) -> None:
    bench.dispatch(bench.module.Report(1), [DeduplicateStamp("k", ttl=10), DelayStamp(60_000)])
    bench.messenger.clock.advance(69)
    assert not bench.is_free()
    bench.messenger.clock.advance(1)
    assert bench.is_free()


def test_it_begins_anew_when_the_message_is_taken(bench: Bench) -> None:
    bench.dispatch(bench.module.Report(1, "again"), [DeduplicateStamp("k", ttl=10)])
    bench.messenger.clock.advance(9)
    bench.application.events.listen(WorkerMessageReceived, lambda _: bench.messenger.clock.advance(5))
    bench.queue.process_or_fail(1)
    (inner,) = bench.module.inside
    assert inner.last(DuplicateOfStamp) is not None


def test_who_hears_that_a_message_was_handled_may_send_the_next(bench: Bench) -> None:
    free: list[bool] = []
    bench.application.events.listen(WorkerMessageHandled, lambda _: free.append(bench.is_free()))
    bench.dispatch(bench.module.Report(1), [KEY])
    bench.queue.process_or_fail()
    assert free == [True]


def test_only_in_queue_is_free_while_it_is_handled(bench: Bench) -> None:
    only = DeduplicateStamp("k", only_in_queue=True)
    first = bench.dispatch(bench.module.Report(1, "again"), [only])
    assert is_duplicate_of(bench.dispatch(bench.module.Report(9), [only]), first)
    bench.queue.process_or_fail(1)
    (inner,) = bench.module.inside
    assert inner.last(SentStamp) is not None
    assert not bench.is_free(), "the one that was sent meanwhile keeps it"


def test_listeners_hear_of_each_message_as_they_do_in_a_worker(bench: Bench) -> None:
    heard: list[Any] = []
    for kind in (WorkerMessageReceived, WorkerMessageHandled, WorkerMessageFailed):
        bench.application.events.listen(kind, heard.append)
    bench.dispatch(bench.module.Report(1))
    bench.dispatch(bench.module.Report(2, "give up"))
    bench.queue.process()
    assert [(type(event), event.envelope.message.number) for event in heard] == [
        (WorkerMessageReceived, 1),
        (WorkerMessageHandled, 1),
        (WorkerMessageReceived, 2),
        (WorkerMessageFailed, 2),
    ]
    failed = heard[3]
    assert (failed.transport, failed.will_retry, failed.failure_transport) == ("async", False, "failed")


# --- whatever the message carries ---------------------------------------------------------------------------------


def test_the_lock_is_freed_when_the_ids_were_lost(bench: Bench) -> None:
    bench.application.buses["three"].dispatch(bench.module.Report(1), [KEY])
    (sent,) = bench.queue.queued
    assert sent.last(MessageIdsStamp) is None
    assert not bench.is_free()
    bench.messenger.process()
    assert bench.module.ran == [1]
    assert bench.is_free()


def test_a_stamp_that_is_dispatched_again_gets_an_owner_of_its_own(bench: Bench) -> None:
    first = bench.dispatch(bench.module.Report(1), [KEY])
    owned = first.last(DeduplicateStamp)
    assert owned is not None
    assert owned.owner == first.last(MessageIdsStamp).message_id  # type: ignore[union-attr]
    again = bench.dispatch(bench.module.Report(2), [owned])
    assert again.last(DuplicateOfStamp) == DuplicateOfStamp(str(owned.owner))


def test_each_lock_that_is_not_released_is_told(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    class Away:
        def refuse(self, *arguments: object) -> str:
            raise TransportUnavailable("it is away")

        take = renew = release = refuse

        def close(self) -> None: ...

    locks = MessageLocks(Away)  # type: ignore[arg-type]
    for name in ("a", "b"):
        envelope = Envelope(bench.module.Report(), [KEY, MessageIdsStamp(name)])
        locks.renew(envelope)
        locks.renew(envelope)
        locks.release(envelope)
    lines = [record.getMessage().split()[0] for record in caplog.records]
    assert lines == ["lock_not_renewed", "lock_not_released", "lock_not_released"]
