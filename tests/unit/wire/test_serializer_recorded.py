"""What a real Symfony wrote is read, and nothing of it is lost when it is written again."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from messenger.stamps import (
    BusNameStamp,
    DelayStamp,
    ErrorDetailsStamp,
    ForeignHeadersStamp,
    RedeliveryStamp,
    SentToFailureTransportStamp,
    SerializedMessageStamp,
    Stamp,
)
from messenger.wire.encoded import Encoded, UndecodableMessage
from messenger.wire.serializer import encode_value
from messenger.wire.stamps import PREFIX
from tests.unit.wire.recorded import TYPE, VERSIONS, SmsNotification, recorded_envelope, serializer

BUS_NAME = BusNameStamp("messenger.bus.default")
CONTENTS = {
    "plain": 'Look! I "created" a/message é 😀!',
    "bare": "Look! I created a message!",
    "serializer-0": "Hi!",
    "serializer-1": "Hi!",
    "delayed": "Later",
    "retry": "Bad",
    "failed": "Bad",
}
READABLE = pytest.mark.parametrize("name", list(CONTENTS))
NATIVE = pytest.mark.parametrize("name", ["native", "native-base64", "delayed-native", "failed-native"])


def travelling(version: str, name: str) -> list[Stamp]:
    """The stamps of a recording that a transport would write again."""
    envelope = serializer().decode(recorded_envelope(version, name))
    return [stamp for stamp in envelope.stamps if not isinstance(stamp, SerializedMessageStamp)]


def plain(headers: dict[str, str]) -> dict[str, Any]:
    """Headers with their JSON read, and dates as moments, so that they can be compared by meaning."""

    def moment(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if "redeliveredAt" in found:
            found["redeliveredAt"] = datetime.fromisoformat(found["redeliveredAt"])
            # 5.4 writes these two nulls; 7.2 and we do not.
            found = {key: value for key, value in found.items() if value is not None}
        return found

    return {
        name: json.loads(value, object_pairs_hook=moment) if name.startswith(PREFIX) else value
        for name, value in headers.items()
    }


@VERSIONS
@READABLE
def test_the_message_is_read(version: str, name: str) -> None:
    assert serializer().decode(recorded_envelope(version, name)).message == SmsNotification(CONTENTS[name])


@VERSIONS
@READABLE
def test_written_again_it_has_the_same_body_and_headers(version: str, name: str) -> None:
    encoded = recorded_envelope(version, name)
    again = serializer().encode(serializer().decode(encoded))
    assert again.body == encoded.body
    assert plain(again.headers) == plain(encoded.headers)


@VERSIONS
def test_the_stamps_of_a_new_message(version: str) -> None:
    assert travelling(version, "bare") == []
    assert travelling(version, "plain") == [BUS_NAME]
    assert travelling(version, "delayed") == [DelayStamp(5000), BUS_NAME]


@VERSIONS
def test_the_stamps_of_a_message_that_failed_once(version: str) -> None:
    envelope = serializer().decode(recorded_envelope(version, "retry"))
    error = envelope.last(ErrorDetailsStamp)
    assert error is not None
    assert (error.exception_class, error.exception_message) == ("RuntimeException", "Gateway is down.")
    assert error.flatten_exception["class"] == "RuntimeException"
    [redelivery] = envelope.all(RedeliveryStamp)
    assert redelivery.retry_count == 1
    assert redelivery.redelivered_at.astimezone(UTC).date().isoformat() == "2026-11-24"


@VERSIONS
def test_the_stamps_of_a_message_in_the_failure_transport(version: str) -> None:
    envelope = serializer().decode(recorded_envelope(version, "failed"))
    assert [stamp.retry_count for stamp in envelope.all(RedeliveryStamp)] == [1, 2, 3, 0]
    assert len(envelope.all(ErrorDetailsStamp)) == 1
    assert len(envelope.all(DelayStamp)) == 4
    assert envelope.last(DelayStamp) == DelayStamp(0)
    assert envelope.all(SentToFailureTransportStamp) == [SentToFailureTransportStamp("async")]
    assert envelope.last(BusNameStamp) == BUS_NAME


@VERSIONS
@NATIVE
def test_php_s_own_format_is_not_evaluated_but_explained_and_kept(version: str, name: str) -> None:
    encoded = recorded_envelope(version, name)
    envelope = serializer().decode(encoded)
    assert isinstance(envelope.message, UndecodableMessage)
    assert "'serializer: messenger.transport.symfony_serializer'" in envelope.message.reason
    assert serializer().encode(envelope) == encoded


def test_unknown_keys_of_a_body_are_ignored_and_sent_again() -> None:
    body = '{"content": "Hi", "campaign": {"id": 9007199254740993}}'
    envelope = serializer().decode(Encoded(body, {"type": TYPE}))
    assert envelope.message == SmsNotification("Hi")
    assert serializer().encode(envelope).body == body


def test_unknown_stamps_and_foreign_headers_are_sent_again_as_they_came() -> None:
    foreign = {f"{PREFIX}App\\Stamp\\TraceStamp": '[ {"trace" : "abc"} ]', "traceparent": "00-ab-cd-01", "X-Empty": ""}
    envelope = serializer().decode(Encoded('{"content":"Hi"}', {"type": TYPE, **foreign}))
    assert envelope.message == SmsNotification("Hi")
    assert envelope.last(ForeignHeadersStamp) == ForeignHeadersStamp(foreign)
    again = serializer().encode(envelope.with_stamps(DelayStamp(5)))
    assert {name: again.headers[name] for name in foreign} == foreign


def test_a_message_without_headers_is_written_as_php_does() -> None:
    """PHP's empty array is a list."""
    assert encode_value(Encoded("x", {})) == b'{"body":"x","headers":[]}'
    assert encode_value(Encoded("x", {"type": "T"}), uniqid="u") == b'{"body":"x","headers":{"type":"T"},"uniqid":"u"}'
