"""Message, correlation and causation ids: given at dispatch, carried on the wire, kept when a message is kept."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from messenger import HandlerFailed, MessageIdsStamp
from messenger.application import Application
from messenger.envelope import AnyEnvelope, Envelope
from messenger.stamps import ForeignHeadersStamp, ReceivedStamp
from messenger.wire.encoded import Encoded, UndecodableMessage
from tests.support.application_project import Project

CHAIN = """
from dataclasses import dataclass
from messenger import DispatchAfterCurrentBusStamp, Envelope, MessageBus, MessageIdsStamp, handler

seen = {}

@dataclass
class First:
    fail: bool = False

@dataclass
class Second:
    text: str = ""

@dataclass
class Third:
    text: str = ""

@handler
def on_first(message: First, envelope: Envelope, bus: MessageBus):
    seen["first"] = envelope.last(MessageIdsStamp)
    bus.dispatch(Second(), STAMPS)
    if message.fail:
        raise ValueError("no")

@handler
async def on_second(message: Second, envelope: Envelope, bus: MessageBus):
    seen["second"] = envelope.last(MessageIdsStamp)
    bus.dispatch(Third())

@handler
def on_third(message: Third, envelope: Envelope):
    seen["third"] = envelope.last(MessageIdsStamp)
"""
HERE = CHAIN.replace("STAMPS", "[]")
AFTER = CHAIN.replace("STAMPS", "[DispatchAfterCurrentBusStamp()]")


def ids(envelope: AnyEnvelope) -> MessageIdsStamp:
    found = envelope.last(MessageIdsStamp)
    assert found is not None
    return found


def take(application: Application, name: str = "async") -> AnyEnvelope:
    (envelope,) = application.transport(name).get(0, lambda: False)
    return envelope


@pytest.mark.parametrize("module", [HERE, AFTER])
def test_each_message_carries_its_cause_and_the_first_of_the_chain(project: Project, module: str) -> None:
    application = project.load(module=module)
    root = ids(application.dispatch(project.First()))
    application.close()
    first, second, third = (project.seen[name] for name in ("first", "second", "third"))
    assert first == root == MessageIdsStamp(root.message_id, root.message_id, None)
    assert second == MessageIdsStamp(second.message_id, root.message_id, root.message_id)
    assert third == MessageIdsStamp(third.message_id, root.message_id, second.message_id)
    assert len({uuid.UUID(stamp.message_id) for stamp in (first, second, third)}) == 3


def test_a_received_message_is_the_cause_of_what_its_handler_sends(project: Project) -> None:
    yaml = "  routing: {MODULE.First: async, MODULE.Second: b}\n"
    transports = "async: 'in-memory://', b: 'in-memory://'"
    application = project.load(yaml, module=HERE, transports=transports)
    root = ids(application.dispatch(project.First()))
    received = take(application)
    assert ids(received) == root
    application.dispatch_received(received.with_stamps(ReceivedStamp("async")))
    second = ids(take(application, "b"))
    assert (second.correlation_id, second.causation_id) == (root.message_id, root.message_id)


def test_a_chain_ends_with_its_message_also_when_that_fails(project: Project) -> None:
    application = project.load(module=HERE)
    with pytest.raises(HandlerFailed):
        application.dispatch(project.First(fail=True))
    again = ids(application.dispatch(project.Third()))
    application.close()
    assert again.causation_id is None
    assert again.correlation_id == again.message_id


def test_one_received_without_ids_stays_so_and_is_no_cause(project: Project) -> None:
    application = project.load("  routing: {MODULE.Second: async}\n", module=HERE)
    envelope = application.dispatch_received(Envelope(project.First(), [ReceivedStamp("async")]))
    assert envelope.last(MessageIdsStamp) is None
    assert ids(take(application)).causation_id is None


def test_a_stamp_given_at_dispatch_is_kept(project: Project) -> None:
    own = MessageIdsStamp("order-7", "cart-3")
    application = project.load("  routing: {MODULE.Second: async}\n", module=HERE)
    assert ids(application.dispatch(project.Second(), [own])) == own
    assert ids(take(application)) == own


def test_only_a_correlation_id_is_possible(project: Project) -> None:
    application = project.load("  routing: {MODULE.Second: async}\n", module=HERE)
    sent = ids(application.dispatch(project.Second(), [MessageIdsStamp(correlation_id="request-7")]))
    assert sent == ids(take(application))
    assert (sent.correlation_id, sent.causation_id) == ("request-7", None)
    assert uuid.UUID(sent.message_id)
    assert MessageIdsStamp("a").correlation_id == "a"


NO_IDS: list[Any] = ["a b", "é", " ", "x" * 201, "line\nend", "a\x00", "\u202e", 7, None, b"a"]


@pytest.mark.parametrize("value", NO_IDS, ids=ascii)
def test_what_could_not_travel_is_refused_at_once(value: Any) -> None:
    with pytest.raises(ValueError, match=r"the message_id of a MessageIdsStamp is 1 to 200 letters"):
        MessageIdsStamp(value, "ok")
    with pytest.raises(ValueError, match=r"the correlation_id of a MessageIdsStamp is"):
        MessageIdsStamp("ok", value)
    if value is not None:
        with pytest.raises(ValueError, match=r"the causation_id of a MessageIdsStamp is"):
            MessageIdsStamp("ok", "ok", value)


HEADERS = {
    "X-Messenger-Message-Id": "m-1",
    "X-Messenger-Correlation-Id": "c-1",
    "X-Messenger-Causation-Id": "a-1",
}


def decoded(application: Application, project: Project, headers: dict[str, str]) -> AnyEnvelope:
    return application.serializer.decode(Encoded("{}", {"type": f"{project.module}.Second", **headers}))


def test_they_are_plain_headers_there_and_back(project: Project) -> None:
    application = project.load(module=HERE)
    envelope = decoded(application, project, HEADERS)
    assert ids(envelope) == MessageIdsStamp("m-1", "c-1", "a-1")
    headers = application.serializer.encode(envelope).headers
    assert {name: value for name, value in headers.items() if name.startswith("X-")} == HEADERS


def test_a_message_that_cannot_be_read_keeps_them_too(project: Project) -> None:
    application = project.load(module=HERE)
    envelope = application.serializer.decode(Encoded("{", {"type": "nothing", **HEADERS}))
    assert isinstance(envelope.message, UndecodableMessage)
    assert ids(envelope) == MessageIdsStamp("m-1", "c-1", "a-1")
    assert application.serializer.encode(envelope).headers == {"type": "nothing", **HEADERS}


def test_another_program_may_leave_out_all_but_the_message_id(project: Project) -> None:
    application = project.load(module=HERE)
    envelope = decoded(application, project, {"X-Messenger-Message-Id": "m-1"})
    assert ids(envelope) == MessageIdsStamp("m-1", "m-1", None)


@pytest.mark.parametrize("name", list(HEADERS))
@pytest.mark.parametrize("value", ["", "two words", "line\nend", "x" * 201, "\u202e"])
def test_what_is_no_id_stays_a_header_that_is_sent_on(project: Project, name: str, value: str) -> None:
    application = project.load(module=HERE)
    headers = HEADERS | {name: value}
    envelope = decoded(application, project, headers)
    found: Any = envelope.last(MessageIdsStamp)
    assert found is None
    assert envelope.last(ForeignHeadersStamp) == ForeignHeadersStamp(headers)


def test_queued_messages_have_their_ids_at_once(project: Project) -> None:
    application = project.load("  routing: {MODULE.Second: async}\n", module=AFTER)
    root = ids(application.dispatch(project.First()))
    assert ids(take(application)).causation_id == root.message_id
