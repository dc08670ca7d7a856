"""Stamps as headers."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from messenger.envelope import Envelope
from messenger.failure.retry import MultiplierRetryStrategy
from messenger.stamps import (
    BusNameStamp,
    DelayStamp,
    DeliveryStamp,
    ErrorDetailsStamp,
    ForeignHeadersStamp,
    HandledStamp,
    LocalStamp,
    ReceivedStamp,
    RedeliveryStamp,
    SentStamp,
    SentToFailureTransportStamp,
    SerializedMessageStamp,
    Stamp,
    TransportMessageIdStamp,
    TransportNamesStamp,
)
from messenger.wire.encoded import Encoded
from messenger.wire.extension_headers import ReplyStamp
from messenger.wire.stamps import PREFIX, decode_stamps, encode_stamps
from tests.unit.wire.recorded import TYPE, SmsNotification, serializer

SYMFONY = f"{PREFIX}Symfony\\Component\\Messenger\\Stamp\\"
TRAVELLING: list[Stamp] = [
    BusNameStamp("messenger.bus.default"),
    DelayStamp(5000),
    DelayStamp(0),
    RedeliveryStamp(3, datetime(2026, 11, 24, 2, 28, 48, tzinfo=UTC)),
    ErrorDetailsStamp("RuntimeException", "HY000", "Gateway is down.", {"code": 7}),
    SentToFailureTransportStamp("async"),
    TransportNamesStamp(("async", "audit")),
    HandledStamp("sms.handlers.send_sms"),
]
LOCAL: list[Stamp] = [
    ReceivedStamp("async"),
    SentStamp("async"),
    TransportMessageIdStamp("1-0"),
    DeliveryStamp(2),
    SerializedMessageStamp('{"content":"Hi"}'),
]
# What Symfony keeps to one process; a sender that writes them anyway is not believed.
SYMFONY_LOCAL = [
    "AckStamp",
    "ConsumedByWorkerStamp",
    "ReceivedStamp",
    "SentForRetryStamp",
    "SentStamp",
    "SerializedMessageStamp",
    "TransportMessageIdStamp",
]


def test_stamps_that_travel_come_back() -> None:
    stamps, rest, problem = decode_stamps(encode_stamps(TRAVELLING))
    assert stamps == TRAVELLING
    assert (rest, problem) == ({}, "")


def test_stamps_of_one_class_are_one_list_oldest_first() -> None:
    headers = encode_stamps([DelayStamp(1), BusNameStamp("b"), DelayStamp(2)])
    assert headers == {
        f"{SYMFONY}DelayStamp": '[{"delay":1},{"delay":2}]',
        f"{SYMFONY}BusNameStamp": '[{"busName":"b"}]',
    }


def test_dates_are_written_as_php_reads_them() -> None:
    moment = datetime(2026, 11, 24, 2, 28, 48, tzinfo=UTC)
    [value] = encode_stamps([RedeliveryStamp(1, moment)]).values()
    [written] = json.loads(value)
    assert written["redeliveredAt"] in ("2026-11-24T02:28:48Z", "2026-11-24T02:28:48+00:00")
    [made_now] = json.loads(encode_stamps([RedeliveryStamp(1)])[f"{SYMFONY}RedeliveryStamp"])
    assert "." not in made_now["redeliveredAt"], "Symfony's dates have no fractions"


def test_a_handler_s_result_stays_here() -> None:
    [value] = encode_stamps([HandledStamp("send_sms", result="secret")]).values()
    assert "secret" not in value


def test_local_stamps_are_not_written() -> None:
    assert {type(stamp) for stamp in LOCAL} | {ForeignHeadersStamp, ReplyStamp} <= set(LocalStamp.__subclasses__())
    assert encode_stamps(LOCAL) == {}
    written = serializer().encode(Envelope(SmsNotification("Hi"), LOCAL))
    assert set(written.headers) == {"type", "Content-Type"}


@pytest.mark.parametrize("name", SYMFONY_LOCAL)
def test_local_stamps_are_not_accepted(name: str) -> None:
    header = f"{SYMFONY}{name}"
    value = '[{"transportName":"async","id":"1-0","body":"forged","senderClass":"x","count":1}]'
    envelope = serializer().decode(Encoded('{"content":"Hi"}', {"type": TYPE, header: value}))
    assert envelope.stamps == (SerializedMessageStamp('{"content":"Hi"}'),)
    assert header not in serializer().encode(envelope).headers


@pytest.mark.parametrize("cls", LocalStamp.__subclasses__())
def test_a_header_named_after_a_class_of_ours_makes_no_stamp(cls: type[Stamp]) -> None:
    """The name is opaque: never looked up, kept for whoever understands it."""
    header = f"{PREFIX}{cls.__module__}.{cls.__qualname__}"
    value = '[{"id":"1-0","busName":"b"}]'
    assert decode_stamps({header: value}) == ([], {header: value}, "")


def test_a_reply_token_is_accepted_only_as_32_hexadecimal_digits() -> None:
    body = '{"content":"Hi"}'
    good = serializer().decode(Encoded(body, {"type": TYPE, "X-Messenger-Reply": "0123456789abcdef" * 2}))
    assert good.last(ReplyStamp) == ReplyStamp("0123456789abcdef" * 2)
    assert serializer().encode(good).headers["X-Messenger-Reply"] == "0123456789abcdef" * 2
    forged = serializer().decode(Encoded(body, {"type": TYPE, "X-Messenger-Reply": "messenger:other:key"}))
    assert forged.last(ReplyStamp) is None


def test_keys_a_later_symfony_adds_are_ignored() -> None:
    stamps = decode_stamps({f"{SYMFONY}BusNameStamp": '[{"busName":"b","priority":{"high":true}}]'})[0]
    assert stamps == [BusNameStamp("b")]


@pytest.mark.timeout(10)
@pytest.mark.parametrize("count", [10**18, -(10**18), 10**400])
def test_any_retry_count_gives_a_delay_at_once(count: int) -> None:
    stamps = decode_stamps({f"{SYMFONY}RedeliveryStamp": f'[{{"retryCount":{count}}}]'})[0]
    assert 0 <= MultiplierRetryStrategy().waiting_time(Envelope(None, stamps), ValueError()) <= 2**53
