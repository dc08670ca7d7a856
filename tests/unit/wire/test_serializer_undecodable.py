"""What cannot be read is kept whole, explained, and read again when it can be."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import pytest

from messenger.envelope import AnyEnvelope, Envelope
from messenger.errors import MessageDecodingFailed, MessageEncodingFailed
from messenger.messages import MessageRegistry
from messenger.stamps import (
    BusNameStamp,
    DelayStamp,
    ErrorDetailsStamp,
    HandledStamp,
    RedeliveryStamp,
    SentToFailureTransportStamp,
    TransportNamesStamp,
)
from messenger.wire.encoded import Encoded, UndecodableMessage
from messenger.wire.serializer import Serializer, decode_value, encode_value, undecodable_value
from messenger.wire.stamps import PREFIX
from tests.unit.wire.recorded import TYPE, VERSIONS, SmsNotification, recorded, serializer

SYMFONY = f"{PREFIX}Symfony\\Component\\Messenger\\Stamp\\"
BODY = '{"content":"Hi"}'


def undecodable(encoded: Encoded) -> UndecodableMessage:
    """The message that stands for `encoded`."""
    message = serializer().decode(encoded).message
    assert isinstance(message, UndecodableMessage)
    return message


def read(value: bytes) -> AnyEnvelope:
    """As a transport does."""
    try:
        return serializer().decode(decode_value(value))
    except MessageDecodingFailed as error:
        return undecodable_value(value, str(error))


def put_aside(envelope: AnyEnvelope) -> AnyEnvelope:
    """The envelope as a failure transport gets it."""
    return envelope.with_stamps(
        ErrorDetailsStamp("x.Error", 0, "why"),
        SentToFailureTransportStamp("async"),
        DelayStamp(0),
        RedeliveryStamp(0),
    )


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"", "not JSON"),
        (b"hello", "not JSON"),
        (b'{"body":"x"', "not JSON"),
        (b'{"body":"\xff","headers":{}}', "not JSON"),
        (b"\x80\x81", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b's:5:"abc";', "length does not fit"),
        (b"null", "not an object with a 'body'"),
        (b"[1]", "not an object with a 'body'"),
        (b"{}", "not an object with a 'body'"),
        (b'{"body":{"content":"Hi"},"headers":{}}', "not an object with a 'body'"),
        (b'{"body":"x","headers":["type"]}', "not an object of texts"),
        (b'{"body":"x","headers":{"type":1}}', "not an object of texts"),
    ],
)
def test_a_value_that_is_no_envelope_is_refused(value: bytes, why: str) -> None:
    with pytest.raises(MessageDecodingFailed, match=why):
        decode_value(value)


@VERSIONS
@pytest.mark.parametrize(
    ("name", "why"), [("serializer-2", "igbinary.*serializer=1"), ("serializer-4", "serializer=4.*serializer=1")]
)
def test_a_wrapping_php_must_change_is_named(version: str, name: str, why: str) -> None:
    with pytest.raises(MessageDecodingFailed, match=why):
        decode_value(recorded(version, name))


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({}, "the headers have no 'type'"),
        ({"type": ""}, "the headers have no 'type'"),
        ({"type": "os.system"}, r"no message class here has the wire name 'os.system'; known: App\\Message"),
        ({"type": TYPE, "Content-Type": "application/xml"}, "only application/json is understood"),
    ],
)
def test_what_is_wrong_with_the_headers_is_said_and_they_are_kept(headers: dict[str, str], why: str) -> None:
    message = undecodable(Encoded(BODY, headers))
    assert why.replace("\\\\", "\\") in message.reason
    assert (message.body, message.headers) == (BODY, headers)


@pytest.mark.parametrize("body", ["", "é", "\x00", "O:1", "ﷺ" * 100, "=", "a" * 63, "TzoxOg", "[]", "{}"])
def test_a_body_without_type_never_raises(body: str) -> None:
    assert undecodable(Encoded(body, {})).body == body


@pytest.mark.parametrize(
    "body", ["", "hello", "[]", "{}", '{"content":1}', '{"content":null}', "[" * 100_000, '{"content":"\ud800"}']
)
def test_a_body_that_does_not_fit_its_class_is_kept(body: str) -> None:
    message = undecodable(Encoded(body, {"type": TYPE}))
    assert message.body == body
    assert "does not fit" in message.reason


@dataclass(frozen=True)
class Picky:
    """A message whose own check raises what it likes."""

    number: int

    def __post_init__(self) -> None:
        if self.number < 0:
            raise LookupError("no such number")


def test_whatever_a_message_class_raises_the_message_is_kept() -> None:
    registry = MessageRegistry([Picky])
    name = registry.names()[0]
    message = Serializer(registry).decode(Encoded('{"number":-1}', {"type": name})).message
    assert isinstance(message, UndecodableMessage)
    assert "no such number" in message.reason


@dataclass(frozen=True)
class Ambiguous:
    """JSON does not say which of the two classes it is."""

    content: SmsNotification | Picky


def test_a_class_json_cannot_carry_is_said_to_be_so() -> None:
    registry = MessageRegistry([Ambiguous])
    message = Serializer(registry).decode(Encoded("{}", {"type": registry.names()[0]})).message
    assert isinstance(message, UndecodableMessage)
    assert "Ambiguous has a field whose type JSON cannot carry" in message.reason


@pytest.mark.parametrize("header", ["BusNameStamp", "DelayStamp", "RedeliveryStamp", "SentToFailureTransportStamp"])
@pytest.mark.parametrize("value", ["", "null", "{}", "[{}]", '[{"delay":"x"}]', "[", "[" * 100_000])
def test_a_broken_stamp_spoils_the_message_but_no_other_stamp(header: str, value: str) -> None:
    headers = {
        "type": TYPE,
        f"{SYMFONY}HandledStamp": '[{"handlerName":"h","result":null}]',
        f"{SYMFONY}{header}": value,
        f"{SYMFONY}TransportNamesStamp": '[{"transportNames":["async"]}]',
    }
    encoded = Encoded(BODY, headers)
    envelope = serializer().decode(encoded)
    assert isinstance(envelope.message, UndecodableMessage)
    assert f"the header {SYMFONY}{header} is not a list of its stamps" in envelope.message.reason
    assert envelope.stamps == (HandledStamp("h"), TransportNamesStamp(("async",)))
    assert serializer().encode(envelope) == encoded


def test_a_broken_stamp_does_not_hide_in_the_failure_transport_where_it_came_from() -> None:
    """Without the SentToFailureTransportStamp it could not be sent back, and a worker would put it aside for ever."""
    headers = {"type": TYPE, f"{SYMFONY}BusNameStamp": "broken"}
    put = serializer().encode(put_aside(serializer().decode(Encoded(BODY, headers))))
    failed = serializer().decode(put)
    assert failed.last(SentToFailureTransportStamp) == SentToFailureTransportStamp("async")
    assert failed.last(ErrorDetailsStamp) == ErrorDetailsStamp("x.Error", 0, "why")
    sent_back = failed
    for kind in (SentToFailureTransportStamp, ErrorDetailsStamp, DelayStamp, RedeliveryStamp):
        sent_back = sent_back.without_all(kind)
    assert serializer().encode(sent_back) == Encoded(BODY, headers)


HOSTILE = {
    "RedeliveryStamp": [
        f'[{{"retryCount":{count},"redeliveredAt":"2026-01-01T00:00:00+00:00"}}]'
        for count in ("-1", "-9223372036854775807", "9223372036854775807", "1" * 100, "true", "1.5", "NaN", "null")
    ]
    + ['[{"retryCount":1,"redeliveredAt":5}]', '[{"retryCount":1,"redeliveredAt":"1e9"}]'],
    "DelayStamp": [
        f'[{{"delay":{delay}}}]' for delay in ("1" * 20, "-" + "1" * 20, "1e400", "Infinity", "false", '"1"')
    ],
    "ErrorDetailsStamp": ['[{"exceptionClass":"E","exceptionCode":1.5}]', '[{"exceptionClass":7}]'],
    "SentToFailureTransportStamp": ['[{"originalReceiverName":null}]'],
}


@pytest.mark.parametrize(("header", "value"), [(header, value) for header in HOSTILE for value in HOSTILE[header]])
def test_a_hostile_stamp_rests_in_the_failure_transport_as_it_came(header: str, value: str) -> None:
    """It is undecodable there, too, and the stamps that say how it came there do not take its place."""
    came = Encoded(BODY, {"type": TYPE, f"{SYMFONY}{header}": value})
    stored = came
    for _ in range(3):
        stored = serializer().encode(put_aside(serializer().decode(stored)))
        failed = serializer().decode(stored)
        assert isinstance(failed.message, UndecodableMessage)
        assert failed.message.headers == came.headers
        assert f"{header} is not a list of its stamps" in failed.message.reason
        assert failed.last(SentToFailureTransportStamp) == SentToFailureTransportStamp("async")
        assert failed.last(RedeliveryStamp) is not None
    for kind in (SentToFailureTransportStamp, ErrorDetailsStamp, DelayStamp, RedeliveryStamp):
        failed = failed.without_all(kind)
    assert serializer().encode(failed) == came


def test_what_claims_to_be_a_kept_stamp_is_kept_as_it_came() -> None:
    good = '[{"delay":1}]'
    name = f"{SYMFONY}DelayStamp"
    for headers in (
        {f"X-Messenger-Kept-{name}": good},
        {f"X-Messenger-Kept-{name}": "broken", name: "broken, too"},
        {f"X-Messenger-Kept-{name}": "broken", f"X-Messenger-Kept-X-Messenger-Kept-{name}": "x", name: "y"},
    ):
        came = Encoded(BODY, {"type": TYPE, "Content-Type": "application/json", **headers})
        assert serializer().encode(serializer().decode(came)) == came
        put = serializer().encode(put_aside(serializer().decode(came)))
        assert set(headers.values()) <= set(put.headers.values())


@pytest.mark.parametrize("value", [b"\xff\xfe\x00binary", b"", b"not JSON", b's:5:"abc";', b'{"body":1}'])
def test_raw_bytes_rest_in_the_failure_transport_unchanged(value: bytes) -> None:
    stored = encode_value(serializer().encode(put_aside(read(value))))
    failed = read(stored)
    assert isinstance(failed.message, UndecodableMessage)
    assert base64.b64decode(failed.message.body) == value
    assert failed.last(SentToFailureTransportStamp) == SentToFailureTransportStamp("async")
    assert encode_value(serializer().encode(failed)) == stored


def test_raw_bytes_are_read_by_a_release_that_can() -> None:
    """The value was no envelope for the release that put it aside; for this one it is."""
    value = encode_value(Encoded(BODY, {"type": TYPE, f"{SYMFONY}BusNameStamp": '[{"busName":"b"}]'}))
    stored = encode_value(serializer().encode(put_aside(undecodable_value(value, "an older release's reason"))))
    again = read(stored)
    assert again.message == SmsNotification("Hi")
    assert again.last(BusNameStamp) == BusNameStamp("b")
    assert again.last(SentToFailureTransportStamp) == SentToFailureTransportStamp("async")
    assert serializer().encode(again).headers["type"] == TYPE


@pytest.mark.parametrize("body", ["é", "not base64!", "A", ""])
def test_what_only_claims_to_be_raw_is_kept(body: str) -> None:
    assert undecodable(Encoded(body, {"X-Messenger-Raw": "base64"})).body == body


def test_a_message_without_type_is_read_once_its_class_is_known() -> None:
    encoded = Encoded(BODY, {"type": TYPE, "traceparent": "00-ab"})
    ignorant = Serializer(MessageRegistry())
    stored = ignorant.encode(put_aside(ignorant.decode(encoded)))
    assert serializer().decode(stored).message == SmsNotification("Hi")


def test_a_message_json_cannot_carry_is_not_sent() -> None:
    cyclic: list[object] = []
    cyclic.append(cyclic)
    for content in ("\ud800", object(), cyclic):
        with pytest.raises(MessageEncodingFailed, match="SmsNotification cannot be written as JSON"):
            serializer().encode(Envelope(SmsNotification(content)))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Fussy:
    """Its own check speaks in several lines."""

    text: str

    def __post_init__(self) -> None:
        raise ValueError("one\ntwo\x1b[31m three \udcff")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"type": TYPE, "Content-Type": "text/\nplain\x1b[2J\u2028end"}, "the body is text/ plain\\x1b[2J end; only"),
        ({"type": TYPE, "Content-Type": "x" * 5000}, "the body is xxx"),
        ({"type": f"{Fussy.__module__}.{Fussy.__qualname__}"}, "one two\\x1b[31m three \\udcff"),
    ],
)
def test_a_reason_is_one_short_printable_line_whatever_came(headers: dict[str, str], expected: str) -> None:
    registry = MessageRegistry([SmsNotification, Fussy])
    message = Serializer(registry).decode(Encoded('{"text": ""}', headers)).message
    assert isinstance(message, UndecodableMessage)
    assert expected in message.reason
    assert message.reason.isprintable()
    assert len(message.reason) <= 500
    assert message.headers == headers
