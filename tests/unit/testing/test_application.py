"""messenger.testing: the application in memory, its assertions and their texts, its clock."""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from messenger import ConfigError, DelayStamp, MessageEncodingFailed
from messenger.testing import Clock, InMemoryApplication
from messenger.testing.transport import RecordingTransport
from messenger.wire.encoded import Encoded

MODULE = """
import asyncio
from dataclasses import dataclass
from typing import Any
import attrs, msgspec, pydantic
from messenger import StopWorker, UnrecoverableError, handler, message

ran = []

@dataclass
class Sms:
    content: str
    times: int = 1

class Mail(msgspec.Struct):
    to: str

@message()
@attrs.define
class Fax:
    number: int

@message()
class Letter(pydantic.BaseModel):
    street: str

@dataclass
class Broken:
    anything: Any

@dataclass
class Foreign:
    number: int

@dataclass
class Again:
    pass

@dataclass
class AtOnce:
    pass

@handler
def on_sms(message: Sms):
    ran.append(message.content)
    if message.content == "bad":
        raise ValueError("the gateway says no")
    if message.content == "hopeless":
        raise UnrecoverableError("no such number")
    if message.content == "stop":
        raise StopWorker("enough")

@handler
async def on_mail(message: Mail):
    await asyncio.sleep(0)
    ran.append(message.to)

@handler
def on_again(message: Again):
    application.dispatch(Again())

@handler
def on_at_once(message: AtOnce):
    ran.append("at once")
"""
YAML = """
messenger:
  handlers: [MODULE]
  control: redis://127.0.0.1:1
  connections: {default: 'postgresql+psycopg://127.0.0.1:1/none'}
  transports:
    async: {dsn: 'redis://127.0.0.1:1/messages', options: {group: workers}, retry_strategy: {jitter: 0.9},
            rate_limiter: gateway}
    other: 'amqp://nobody.has/this'
    now: 'sync://'
  rate_limiters: {gateway: {limit: 1, interval: 3600}}
  routing: {'*': async, MODULE.Mail: other, MODULE.AtOnce: now}
"""
names = itertools.count()


class Project:
    """The application above, its module under a new name each time."""

    def __init__(self, directory: Path) -> None:
        self.name = f"handlers_of_testing_{next(names)}"
        (directory / f"{self.name}.py").write_text(MODULE)
        (directory / "messenger.yaml").write_text(YAML.replace("MODULE", self.name))
        self.messenger = InMemoryApplication.load(directory / "messenger.yaml", {})
        self.module: Any = sys.modules[self.name]
        vars(self.module)["application"] = self.messenger.application
        self.dispatch = self.messenger.application.dispatch
        self.queue = self.messenger.transport("async")
        self.failed = self.messenger.transport("failed")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.syspath_prepend(str(tmp_path))
    made = Project(tmp_path)
    yield made
    made.messenger.close()
    sys.modules.pop(made.name, None)


def text_of(assertion: Callable[[], object]) -> str:
    with pytest.raises(AssertionError) as caught:
        assertion()
    return str(caught.value)


def test_nothing_made_from_it_can_reach_a_server(project: Project) -> None:
    application = project.messenger.application
    assert application.control() is None
    assert application.config.connections == {}
    held = [application.transport(name) for name in application.transport_names if name != "now"]
    assert [t.name for t in held if isinstance(t, RecordingTransport)] == ["async", "other", "failed"]
    with pytest.raises(ConfigError, match="no transport is called 'asinc'; known: async, other, now, failed"):
        project.messenger.transport("asinc")


def test_sync_still_handles_at_once_and_says_that_it_holds_nothing(project: Project) -> None:
    project.dispatch(project.module.AtOnce())
    assert project.module.ran == ["at once"]
    with pytest.raises(ConfigError, match="'now' is sync://: it handles what is dispatched at once"):
        project.messenger.transport("now")


def test_the_assertions_return_what_they_found(project: Project) -> None:
    sms = project.module.Sms
    project.dispatch(sms("hello"), [DelayStamp(5000)])
    project.dispatch(sms("hello", times=3))
    first, second = project.queue.assert_sent(sms, times=2, content="hello")
    assert first.last(DelayStamp) == DelayStamp(5000)
    assert second.message == sms("hello", 3)
    assert project.queue.assert_sent(sms, where=lambda message: message.times == 3) == [second]
    assert len(project.queue.assert_queued(object)) == 2
    project.queue.assert_not_sent(sms, content="hallo")
    project.messenger.transport("other").assert_not_sent()


def test_a_failed_assertion_lists_what_was_there_with_its_fields(project: Project) -> None:
    module = project.module
    project.dispatch(module.Sms("hallo"))
    project.dispatch(module.Fax(7), [DelayStamp(5000)])
    project.dispatch(module.Letter(street="Long Lane"))
    there = (
        "async, oldest first (3):\n  1. Sms(content='hallo', times=1)\n  2. Fax(number=7)  [delay 5000 ms]\n"
        "  3. Letter(street='Long Lane')"
    )
    queue = project.queue
    assert text_of(lambda: queue.assert_sent(module.Sms, times=1, content="hello")) == (
        f"expected 1 Sms(content='hello') sent to async, found 0\nsent to {there}"
    )
    assert text_of(lambda: queue.assert_sent(module.Mail)) == (
        f"expected at least 1 Mail sent to async, found 0\nsent to {there}"
    )
    assert text_of(lambda: queue.assert_not_sent(module.Fax, where=lambda fax: fax.number > 6)) == (
        f"expected no Fax where the given function is true sent to async, found 1\nsent to {there}"
    )
    assert text_of(queue.assert_not_sent) == f"expected no message sent to async, found 3\nsent to {there}"
    assert text_of(lambda: queue.assert_queued(module.Fax, times=2)) == (
        f"expected 2 Fax waiting in async, found 1\nwaiting in {there}"
    )
    assert text_of(queue.assert_empty) == f"async: expected to be empty\nwaiting in {there}"
    assert text_of(lambda: queue.assert_handled(module.Fax)) == (
        "expected at least 1 Fax handled from async, found 0\nhandled from async: no messages at all"
    )


def test_a_long_list_and_a_long_value_are_cut(project: Project) -> None:
    for _ in range(53):
        project.dispatch(project.module.Sms("x" * 1000))
    lines = text_of(project.queue.assert_empty).splitlines()
    assert lines[-1] == "  and 3 more"
    assert max(map(len, lines)) < 260


def test_a_field_the_class_does_not_have_is_a_mistake_in_the_test(project: Project) -> None:
    for cls, fields in ("Sms", "content, times"), ("Mail", "to"), ("Fax", "number"), ("Letter", "street"):
        with pytest.raises(TypeError, match=f"{cls} has no field 'contents'; it has: {fields}"):
            project.queue.assert_sent(getattr(project.module, cls), contents="hello")


def test_process_handles_all_that_is_due_or_exactly_so_many(project: Project) -> None:
    for content in "abc":
        project.dispatch(project.module.Sms(content))
    assert project.queue.process(2) == 2
    assert project.module.ran == ["a", "b"]
    project.queue.assert_handled(project.module.Sms, times=2)
    project.queue.assert_queued(project.module.Sms, times=1, content="c")
    assert text_of(lambda: project.queue.process(2)) == (
        "async: expected to process 2 messages, only 1 could be\nwaiting in async: no messages at all"
    )
    assert project.queue.process() == 0


def test_rate_limits_are_not_applied(project: Project) -> None:
    assert project.messenger.application.rate_limiter("async") is not None
    for content in "abc":
        project.dispatch(project.module.Sms(content))
    assert project.messenger.process() == 3


def test_every_transport_but_the_failure_transports_is_processed(project: Project) -> None:
    project.dispatch(project.module.Sms("hopeless"))
    project.dispatch(project.module.Mail("ada"))
    assert project.messenger.process() == 2
    assert project.module.ran == ["hopeless", "ada"]
    project.failed.assert_queued(project.module.Sms, times=1)


def test_a_delayed_message_becomes_due_when_the_clock_is_advanced(project: Project) -> None:
    project.dispatch(project.module.Sms("later"), [DelayStamp(1000)])
    for _ in range(9):
        project.messenger.clock.advance(seconds=0.1)
    assert project.queue.process() == 0
    project.messenger.clock.advance(seconds=0.1)  # ten times 0.1 is less than 1 for a computer
    assert project.queue.process() == 1


def test_an_async_test_processes_async_handlers_in_a_thread(project: Project) -> None:
    async def test() -> int:
        project.dispatch(project.module.Mail("ada"))
        return await asyncio.to_thread(project.messenger.process_or_fail)

    assert asyncio.run(test()) == 1
    assert project.module.ran == ["ada"]


def test_retries_and_failure_transport_are_those_of_a_worker_without_jitter(project: Project) -> None:
    sms = project.module.Sms
    project.dispatch(sms("bad"))
    for number, seconds in enumerate((0, 1, 2, 4)):
        if seconds:
            project.messenger.clock.advance(seconds - 0.01)
            assert project.queue.process() == 0
            project.messenger.clock.advance(0.01)
        assert project.queue.process() == 1
        project.failed.assert_queued(sms, times=1) if number == 3 else project.failed.assert_empty()
    project.queue.assert_empty()
    project.queue.assert_sent(sms, times=1)
    project.queue.assert_handled(sms, times=0)
    assert text_of(project.failed.assert_empty).splitlines()[-1] == (
        "  1. Sms(content='bad', times=1)  [failed in async, ValueError: the gateway says no]"
    )
    assert project.failed.process() == 1
    project.failed.assert_queued(sms)


def test_a_waiting_retry_is_listed_with_its_reason(project: Project) -> None:
    project.dispatch(project.module.Sms("bad"))
    project.queue.process()
    assert text_of(project.queue.assert_empty).splitlines()[-1] == (
        "  1. Sms(content='bad', times=1)  [delay 1000 ms, retry 1, ValueError: the gateway says no]"
    )


def test_process_or_fail_tells_the_handlers_error_and_settles_first(project: Project) -> None:
    project.dispatch(project.module.Sms("bad"))
    project.dispatch(project.module.Sms("good"))
    with pytest.raises(AssertionError) as caught:
        project.queue.process_or_fail()
    assert isinstance(caught.value.__cause__, ValueError)
    assert str(caught.value).splitlines() == [
        "async: Sms(content='bad', times=1) failed (retry in 1000 ms): ValueError: the gateway says no",
        "waiting in async, oldest first (2):",
        "  1. Sms(content='bad', times=1)  [delay 1000 ms, retry 1, ValueError: the gateway says no]",
        "  2. Sms(content='good', times=1)",
    ]
    project.dispatch(project.module.Sms("hopeless"))
    expected = (
        r"^async: Sms\(content='hopeless', times=1\) failed \(kept in failed\): UnrecoverableError: no such number"
    )
    with pytest.raises(AssertionError, match=expected):
        project.messenger.process_or_fail()


def test_a_handlers_error_is_in_the_log(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    project.dispatch(project.module.Sms("bad"))
    project.queue.process()
    (record,) = caplog.records
    assert "message_failed async: Sms(content='bad', times=1) failed (retry in 1000 ms)" in record.getMessage()
    assert record.exc_info
    assert record.exc_info[0] is ValueError


def test_stop_worker_stops_after_its_message(project: Project) -> None:
    project.dispatch(project.module.Sms("stop"))
    project.dispatch(project.module.Sms("next"))
    assert project.queue.process() == 1
    project.queue.assert_queued(project.module.Sms, times=1, content="next")


def test_messages_without_end_are_found_out(project: Project) -> None:
    project.dispatch(project.module.Again())
    text = text_of(project.queue.process)
    assert text.endswith("does a handler dispatch its own message again?\nthe last one: Again()")


def test_what_cannot_be_written_fails_in_the_test(project: Project) -> None:
    with pytest.raises(MessageEncodingFailed):
        project.dispatch(project.module.Broken(object()))
    project.queue.assert_not_sent()


def test_what_cannot_be_read_goes_to_the_failure_transport(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    serializer = project.messenger.application.serializer
    with monkeypatch.context() as patch:
        patch.setattr(serializer, "encode", lambda envelope: Encoded("{}", {"type": "App\\Gone"}))
        project.dispatch(project.module.Sms("x"))
    project.queue.process()
    project.queue.assert_empty()
    assert "  1. a message that cannot be read (" in text_of(project.failed.assert_empty)


def test_a_message_of_another_program_can_be_asserted_where_it_was_sent(project: Project) -> None:
    project.dispatch(project.module.Foreign(1))
    project.queue.assert_sent(project.module.Foreign, times=1, number=1)
    assert "  1. a message that cannot be read (" in text_of(project.queue.assert_empty)


def test_reset_forgets(project: Project) -> None:
    project.dispatch(project.module.Sms("x"))
    project.queue.process()
    project.dispatch(project.module.Sms("y"))
    project.queue.reset()
    assert (project.queue.sent, project.queue.queued, project.queue.handled) == ([], [], [])


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_the_clock_goes_forward_only(seconds: float) -> None:
    with pytest.raises(ValueError, match="advances by 0 seconds or more, not by"):
        Clock().advance(seconds)
