"""A message that failed on one side is retried, or looked at and sent back, by the other."""

from __future__ import annotations

import json

import pytest

from messenger.envelope import AnyEnvelope
from messenger.stamps import (
    BusNameStamp,
    DelayStamp,
    ErrorDetailsStamp,
    ForeignHeadersStamp,
    RedeliveryStamp,
    SentToFailureTransportStamp,
)
from messenger.wire.stamps import PREFIX
from tests.integration.php.peers import SYMFONY, Ours, Php, stamps
from tests.support.servers import RedisServer

TYPE = "App\\Message\\SmsNotification"
TRACE = "App\\Stamp\\TraceStamp"
BUS_NAME = BusNameStamp("messenger.bus.default")


def last_error(envelope: AnyEnvelope) -> ErrorDetailsStamp:
    """The newest ErrorDetailsStamp."""
    found = envelope.last(ErrorDetailsStamp)
    assert found is not None
    return found


def retry_counts(envelope: AnyEnvelope) -> list[int]:
    """The counts of all RedeliveryStamps."""
    return [stamp.retry_count for stamp in envelope.all(RedeliveryStamp)]


def test_php_fails_it_once_and_it_is_handled_here(php: Php, ours: Ours) -> None:
    php.dispatch("try me", trace="abc")
    assert php.consume(fail=True).contents("received") == ["try me"]
    [waiting] = ours.waiting()
    assert retry_counts(waiting) == [1]
    assert waiting.all(BusNameStamp) == [BUS_NAME]
    error = last_error(waiting)
    assert (error.exception_class, error.exception_code) == ("RuntimeException", 7)
    assert error.exception_message == "Gateway is down."
    assert error.flatten_exception["class"] == "RuntimeException"
    foreign = waiting.last(ForeignHeadersStamp)
    assert foreign == ForeignHeadersStamp({PREFIX + TRACE: '[{"trace":"abc"}]'})
    assert ours.consume().contents() == ["try me"]
    assert ours.waiting() == []


def test_it_fails_here_once_and_php_handles_it(php: Php, ours: Ours) -> None:
    php.dispatch("try me", trace="abc")
    ours.consume(fail=True)
    worker = php.consume()
    [line] = worker.lines()
    assert line["content"] == "try me"
    assert stamps(line, "BusNameStamp") == [{"busName": "messenger.bus.default"}]
    assert [stamp["retryCount"] for stamp in stamps(line, "RedeliveryStamp")] == [1]
    assert stamps(line, "DelayStamp") == [{"delay": 0}]
    [error] = stamps(line, "ErrorDetailsStamp")
    assert (error["exceptionClass"], error["exceptionMessage"]) == ("builtins.RuntimeError", "Gateway is down.")
    assert stamps(line, TRACE) == [{"trace": "abc"}]
    assert ours.waiting() == []


def test_both_count_the_same_retries(php: Php, ours: Ours) -> None:
    """Two tries there, one here, each seeing the count of the other: the last is put aside."""
    ours.max_retries = 2
    ours.dispatch("bad")
    php.consume(fail=True)
    ours.consume(fail=True)
    php.consume(fail=True, max_retries=2)
    assert ours.waiting() == []
    [failed] = ours.waiting("failed")
    assert retry_counts(failed) == [1, 2, 0]


def test_what_php_put_aside_is_shown_and_sent_back_here(php: Php, ours: Ours) -> None:
    php.dispatch("bad", to="+41 00", trace="abc")
    php.consume(fail=True, max_retries=0)
    [failed] = ours.waiting("failed")
    assert failed.all(SentToFailureTransportStamp) == [SentToFailureTransportStamp("async")]
    assert (retry_counts(failed), failed.all(DelayStamp)) == ([0], [DelayStamp(0)])
    [shown] = json.loads(ours.run("failed", "show", "--format", "json"))["messages"]
    assert (shown["type"], shown["from"]) == (TYPE, "async")
    assert shown["error"] == "RuntimeException: Gateway is down."
    assert shown["failed_at"] != "-"
    ours.run("failed", "retry", shown["id"])
    assert ours.waiting("failed") == []
    [line] = php.consume().lines()
    assert (line["content"], line["to"]) == ("bad", "+41 00")
    assert stamps(line, "RedeliveryStamp") == stamps(line, "SentToFailureTransportStamp") == []
    assert stamps(line, TRACE) == [{"trace": "abc"}]
    assert stamps(line, "ErrorDetailsStamp")[0]["flattenException"]["class"] == "RuntimeException"


def test_what_we_put_aside_php_handles_from_its_failure_transport(php: Php, ours: Ours) -> None:
    ours.max_retries = 0
    php.dispatch("bad", to="+41 00", trace="abc")
    ours.consume(fail=True)
    assert ours.waiting() == []
    [line] = php.consume(receiver="failed").lines()
    assert (line["content"], line["to"]) == ("bad", "+41 00")
    assert stamps(line, "SentToFailureTransportStamp") == [{"originalReceiverName": "async"}]
    assert [stamp["retryCount"] for stamp in stamps(line, "RedeliveryStamp")] == [0]
    assert stamps(line, "ErrorDetailsStamp")[0]["exceptionClass"] == "builtins.RuntimeError"
    assert stamps(line, "BusNameStamp") == [{"busName": "messenger.bus.default"}]
    assert stamps(line, TRACE) == [{"trace": "abc"}]
    assert ours.waiting("failed") == []


@pytest.mark.parametrize("serializer", ["0", "1"])
def test_php_s_own_format_is_kept_and_the_error_names_the_setting(php: Php, ours: Ours, serializer: str) -> None:
    php.dsn_options["serializer"] = serializer
    php.dispatch("as serialize() writes it", format="php")
    worker = ours.consume()
    assert worker.lines("received") == []
    setting = "on the PHP side set 'serializer: messenger.transport.symfony_serializer'"
    assert setting in worker.errors()
    assert ours.waiting() == []
    [shown] = json.loads(ours.run("failed", "show", "--format", "json"))["messages"]
    assert setting in shown["error"]
    assert shown["from"] == "async"


def test_php_s_own_format_sent_back_is_read_by_php_again(php: Php, ours: Ours) -> None:
    """Nothing of it was lost: PHP's workers, which know the format, handle it."""
    php.dispatch("as serialize() writes it é😀", to="+41 00", format="php")
    ours.consume()
    ours.run("failed", "retry", "--all")
    [line] = php.consume(format="php").lines()
    assert (line["content"], line["to"]) == ("as serialize() writes it é😀", "+41 00")


def test_rubbish_from_another_sender_is_kept_and_the_worker_goes_on(
    php: Php, ours: Ours, redis_server: RedisServer
) -> None:
    broken_bus = json.dumps({"type": TYPE, f"{PREFIX}{SYMFONY}BusNameStamp": "no list"})
    rubbish = [
        b"\xff\xfe\x00 binary",
        '{"body":"é","headers":{}}'.encode(),
        '{"body":"é","headers":{"X-Messenger-Raw":"base64"}}'.encode(),
        b'{"body":"{}","headers":%s}' % broken_bus.encode(),
        b's:5:"torn";',
    ]
    with redis_server.client() as client:
        for value in rubbish:
            client.xadd("messages", {"message": value})
    php.dispatch("in order")
    assert ours.consume(limit=len(rubbish) + 1).contents() == ["in order"]
    assert len(ours.waiting("failed")) == len(rubbish)
    ours.run("failed", "retry", "--all")
    assert ours.waiting("failed") == []
    ours.consume(limit=len(rubbish))
    assert len(ours.waiting("failed")) == len(rubbish)
    assert ours.waiting() == []


def test_any_date_another_sender_wrote_is_shown(ours: Ours, redis_server: RedisServer) -> None:
    redelivery = '[{"retryCount":0,"redeliveredAt":"0001-01-01T00:00:00+14:00"}]'
    headers = {"type": TYPE, f"{PREFIX}{SYMFONY}RedeliveryStamp": redelivery}
    with redis_server.client() as client:
        client.xadd("failed", {"message": json.dumps({"body": '{"content":"x"}', "headers": headers})})
    [shown] = json.loads(ours.run("failed", "show", "--format", "json"))["messages"]
    assert shown["failed_at"] == "0001-01-01 00:00:00+14:00"
