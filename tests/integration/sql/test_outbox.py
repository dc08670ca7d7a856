"""A transport with an outbox: what is sent to it is stored with the business data, and a worker passes it on."""

from __future__ import annotations

import json
import re
import signal

import pytest
from sqlalchemy import create_engine, text

from messenger import DelayStamp, HandlerFailed, MessageIdsStamp, SentStamp, SqlConnectionStamp, TransportNamesStamp
from messenger.envelope import AnyEnvelope
from messenger.errors import MessageTooLarge
from messenger.stamps import BusNameStamp, ForeignHeadersStamp
from messenger.transports.base import Depth
from messenger.wire.extension_headers import ReplyStamp
from messenger.wire.serializer import encode_value
from tests.integration.sql.outboxed import YAML, Outboxed
from tests.integration.worker.project import LONG, Run


def message_id(envelope: AnyEnvelope) -> str:
    stamp = envelope.last(MessageIdsStamp)
    assert stamp is not None
    return stamp.message_id


# --- with the application's transaction ---------------------------------------------------------------------------


def test_it_waits_in_the_outbox_until_a_worker_passes_it_on(outboxed: Outboxed) -> None:
    sent = outboxed.application.dispatch(outboxed.shop.Placed(7))
    assert sent.last(SentStamp) == SentStamp("async")
    assert (outboxed.depth().ready, outboxed.stream()) == (1, [])
    log = outboxed.consume("outbox")
    assert f"message_handled transport=outbox id={sent.id} type=messenger.Relay" in log
    assert f"message_id={message_id(sent)}" in log
    assert outboxed.depth() == Depth(0, 0, 0)
    outboxed.consume("async")
    assert outboxed.events() == ["placed 7"]


def test_what_arrives_is_byte_for_byte_what_was_written(outboxed: Outboxed) -> None:
    """Also where the worker knows neither the message's class nor the signing key."""
    shop, application = outboxed.shop, outboxed.application
    foreign = ForeignHeadersStamp({"X-Shop": "Zoë"})
    stamps = (foreign, ReplyStamp("0" * 32), TransportNamesStamp(("async",)), BusNameStamp("main"))
    sent = [application.dispatch(message, stamps) for message in (shop.Placed(1, "ü\0"), shop.Paid(5))]
    outboxed.consume("outbox", 2)
    expected = [json.loads(encode_value(application.serializer.encode(envelope))) for envelope in sent]
    assert outboxed.stream() == expected
    assert {"Body-Sign", "X-Shop", "X-Messenger-Reply"} <= expected[1]["headers"].keys()
    for message in (shop.Placed(1, "ü\0"), shop.Paid(5)):
        application.dispatch(message, stamps)
    ignorant = YAML.replace("handlers: [MODULE]", "handlers: []").replace("  setup: MODULE.setup\n", "")
    outboxed.load(ignorant.replace("  signing: {key: 0123456789abcdef}\n", "").split("  routing:")[0])
    outboxed.consume("outbox", 2)
    again = outboxed.stream()[2:]
    assert [entry["body"] for entry in again] == [entry["body"] for entry in expected]
    ids = {"X-Messenger-Message-Id", "X-Messenger-Correlation-Id"}
    for before, after in zip(expected, again, strict=True):
        assert {k: v for k, v in before["headers"].items() if k not in ids} == {
            k: v for k, v in after["headers"].items() if k not in ids
        }


def test_a_dispatch_within_the_applications_transaction_is_undone_with_it(outboxed: Outboxed) -> None:
    outboxed.shop.sql("CREATE TABLE orders (number INTEGER)")
    engine = create_engine(outboxed.shop.url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        for number in (1, 2):
            connection.execute(text("INSERT INTO orders VALUES (1)"))
            outboxed.application.dispatch(outboxed.shop.Placed(number), [SqlConnectionStamp(connection)])
            connection.rollback() if number == 1 else connection.commit()
    engine.dispose()
    outboxed.consume("outbox")
    assert [json.loads(entry["body"])["number"] for entry in outboxed.stream()] == [2]
    assert outboxed.depth() == Depth(0, 0, 0)


def test_doctrine_transaction_takes_it_in(outboxed: Outboxed) -> None:
    outboxed.shop.sql("CREATE TABLE orders (number INTEGER)")
    with pytest.raises(HandlerFailed):
        outboxed.application.dispatch(outboxed.shop.Order("fail"))
    assert (outboxed.shop.sql("SELECT count(*) FROM orders"), outboxed.shop.queued()) == ([(0,)], 0)
    outboxed.application.dispatch(outboxed.shop.Order())
    assert (outboxed.shop.sql("SELECT count(*) FROM orders"), outboxed.shop.queued()) == ([(1,)], 1)


def test_a_delay_is_spent_in_the_outbox(outboxed: Outboxed) -> None:
    outboxed.application.dispatch(outboxed.shop.Placed(1), [DelayStamp(1500)])
    depth = outboxed.depth()
    assert (depth.ready, depth.delayed) == (0, 1)
    outboxed.consume("outbox")
    assert len(outboxed.stream()) == 1  # and none is delayed there


# --- what the worker of the target does ---------------------------------------------------------------------------


def test_a_retry_of_the_target_does_not_come_back_here(outboxed: Outboxed) -> None:
    outboxed.application.dispatch(outboxed.shop.Placed(1, "fail once"))
    outboxed.consume("outbox")
    outboxed.consume("async", 2)
    assert outboxed.events() == ["placed 1", "placed 1"]
    assert outboxed.depth() == Depth(0, 0, 0)


def test_a_failed_message_of_the_target_is_retried_there(outboxed: Outboxed) -> None:
    outboxed.application.dispatch(outboxed.shop.Placed(1, "give up"))
    outboxed.consume("outbox")
    outboxed.consume("async")
    assert len(outboxed.failed()) == 1
    outboxed.run("failed", "retry", "--all")
    assert outboxed.depth() == Depth(0, 0, 0)
    outboxed.consume("async")
    assert (outboxed.events(), outboxed.failed()) == (["placed 1", "placed 1"], [])


def test_whoever_waits_for_the_message_is_told_how_it_ended(outboxed: Outboxed) -> None:
    worker = outboxed.start("consume", "outbox", "async").started()
    assert "handled by" in outboxed.run("dispatch", "Placed", '{"number": 3}', "--wait", str(LONG))
    worker.signal(signal.SIGTERM)
    assert worker.code() == 0
    assert outboxed.events() == ["placed 3"]


# --- trouble ------------------------------------------------------------------------------------------------------


def test_while_the_target_is_away_messages_wait_and_use_up_no_try(outboxed: Outboxed) -> None:
    for number in (1, 2):
        outboxed.application.dispatch(outboxed.shop.Placed(number))
    relay = outboxed.start("consume", "outbox").started()
    outboxed.wait_until_empty()
    outboxed.server.stop()
    for number in (3, 4):
        outboxed.application.dispatch(outboxed.shop.Placed(number))
    relay.wait_for("message_put_back transport=outbox", times=3)
    relay.wait_for("waiting_for")
    depth = outboxed.depth()
    assert depth.ready + depth.delayed + depth.in_flight == 2
    outboxed.server.start()
    outboxed.wait_until_empty()
    numbers = [json.loads(entry["body"])["number"] for entry in outboxed.stream()]
    assert (numbers[:2], sorted(numbers[2:])) == ([1, 2], [3, 4])
    assert outboxed.failed() == []


def test_a_relay_killed_between_send_and_acknowledgement_sends_again_with_the_same_id(outboxed: Outboxed) -> None:
    sent = outboxed.application.dispatch(outboxed.shop.Placed(1))
    killed = outboxed.start("consume", "outbox", DIE="1")
    assert killed.code() == -signal.SIGKILL
    assert (len(outboxed.stream()), outboxed.depth().in_flight) == (1, 1)
    log = outboxed.consume("outbox")
    assert "delivery=2" in log
    first, second = outboxed.stream()
    assert first == second
    assert first["headers"]["X-Messenger-Message-Id"] == message_id(sent)
    assert outboxed.depth() == Depth(0, 0, 0)


def test_what_was_committed_and_nothing_else_is_passed_on_by_relays_that_are_killed(outboxed: Outboxed) -> None:
    outboxed.shop.sql("CREATE TABLE orders (number INTEGER)")
    engine = create_engine(outboxed.shop.url.replace("postgresql://", "postgresql+psycopg://"))
    outboxed.application.transport("outbox").setup()
    relays: list[Run] = []
    for number in range(120):
        if number % 30 == 0:
            for relay in relays[-2:]:
                relay.signal(signal.SIGKILL)
            relays += [outboxed.start("consume", "outbox").started() for _ in range(2)]
        with engine.connect() as connection:
            connection.execute(text("INSERT INTO orders VALUES (:number)"), {"number": number})
            outboxed.application.dispatch(outboxed.shop.Placed(number), [SqlConnectionStamp(connection)])
            connection.rollback() if number % 3 == 0 else connection.commit()
    engine.dispose()
    outboxed.wait_until_empty()
    committed = {number for (number,) in outboxed.shop.sql("SELECT number FROM orders")}
    sent = [json.loads(entry["body"])["number"] for entry in outboxed.stream()]
    assert len(committed) == 80
    assert set(sent) == committed
    assert len(sent) <= 80 + 6, "each relay that was killed sends one again at most"
    ids = {entry["headers"]["X-Messenger-Message-Id"] for entry in outboxed.stream()}
    assert len(ids) == 80
    assert outboxed.failed() == []


def test_a_message_too_large_for_the_target_is_refused_at_dispatch(outboxed: Outboxed) -> None:
    small = outboxed.load(YAML.replace("{stream: async}", "{stream: async, max_message_bytes: 500}"))
    with pytest.raises(MessageTooLarge, match="max_message_bytes of the transport 'async' allows 500"):
        small.dispatch(outboxed.shop.Placed(1, "x" * 500))
    small.dispatch(outboxed.shop.Placed(1))
    assert outboxed.shop.queued() == 1


def test_a_message_that_the_target_never_takes_is_put_aside_and_can_be_retried(outboxed: Outboxed) -> None:
    with outboxed.refusing():
        outboxed.application.dispatch(outboxed.shop.Placed(1))
        assert "kept_in=failed" in outboxed.consume("outbox")
    (failed,) = outboxed.failed()
    assert failed["type"] == "messenger.Relay"
    outboxed.run("failed", "retry", "--all")
    assert (outboxed.depth().ready, outboxed.failed()) == (1, [])
    outboxed.consume("outbox")
    assert len(outboxed.stream()) == 1


def test_it_can_be_passed_on_from_the_failure_transport(outboxed: Outboxed) -> None:
    with outboxed.refusing():
        outboxed.application.dispatch(outboxed.shop.Placed(1))
        outboxed.consume("outbox")
    assert len(outboxed.failed()) == 1
    outboxed.run("failed", "retry", "--all", "--now")
    assert (len(outboxed.stream()), outboxed.failed()) == (1, [])


# --- what is not to be trusted ------------------------------------------------------------------------------------


def forged(transport: str, **headers: str) -> dict[str, object]:
    """A message that pretends to have been in an outbox."""
    inner = {"transport": transport, "body": "{}", "headers": {"type": "x"}}
    return {"body": json.dumps(inner), "headers": {"type": "messenger.Relay", **headers}}


STAMPS = "X-Message-Stamp-Symfony\\Component\\Messenger\\Stamp\\"
PRETENCES = {
    "nothing": {},
    "bus": {f"{STAMPS}BusNameStamp": '[{"busName": "messenger.outbox"}]'},
    "failed": {f"{STAMPS}SentToFailureTransportStamp": '[{"originalReceiverName": "outbox"}]'},
}


@pytest.mark.parametrize("pretence", PRETENCES)
def test_one_that_did_not_come_from_its_outbox_is_put_aside(outboxed: Outboxed, pretence: str) -> None:
    outboxed.put("other", forged("async", **PRETENCES[pretence]))
    outboxed.consume("other")
    (failed,) = outboxed.failed()
    assert (
        "a message for 'async' came from a transport that messenger.yaml does not name as its outbox" in failed["error"]
    )
    assert outboxed.stream() == []


@pytest.mark.parametrize("target", ["other", "failed", "outbox", "no such", "../x"])
def test_the_outbox_sends_to_no_transport_but_its_own(outboxed: Outboxed, target: str) -> None:
    value = forged(target)
    outboxed.application.transport("outbox").setup()
    headers = json.dumps(value["headers"])
    outboxed.shop.sql(
        "INSERT INTO messenger_messages (body, headers, queue_name, created_at, available_at)"
        f" VALUES ('{value['body']}', '{headers}', 'outbox', '2020-01-01', '2020-01-01')"
    )
    outboxed.consume("outbox")
    (failed,) = outboxed.failed()
    assert f"a message for {target!r} came from a transport" in failed["error"]
    assert (outboxed.stream("other"), outboxed.stream()) == ([], [])


def test_no_bus_of_the_application_sees_it(outboxed: Outboxed) -> None:
    """A handler of every message, and the bus an operator names, have nothing to do with what is passed on."""
    outboxed.application.dispatch(outboxed.shop.Placed(1))
    log = outboxed.run("consume", "outbox", "--limit", "1", "--bus", "main")
    assert "message_handled transport=outbox" in log
    assert len(outboxed.stream()) == 1


def test_debug_shows_the_way_and_not_what_is_passed_on(outboxed: Outboxed) -> None:
    text = outboxed.run("debug")
    assert re.search(r"\.Placed +async \(by outbox\) ", text)
    assert "Relay" not in text
    assert json.loads(outboxed.run("debug", "--format", "json"))["outboxes"] == {"async": "outbox"}
