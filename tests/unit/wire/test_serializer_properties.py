"""For any text and any bytes. The examples are the same at each run."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from messenger.envelope import AnyEnvelope, Envelope
from messenger.errors import MessageDecodingFailed
from messenger.stamps import BusNameStamp, DelayStamp, ErrorDetailsStamp, SerializedMessageStamp
from messenger.wire import php_string
from messenger.wire.encoded import Encoded, UndecodableMessage
from messenger.wire.serializer import decode_value, encode_value, undecodable_value
from messenger.wire.stamps import PREFIX
from tests.unit.wire.recorded import TYPE, SmsNotification, recorded, serializer

SYMFONY = f"{PREFIX}Symfony\\Component\\Messenger\\Stamp\\"
short = settings(derandomize=True, max_examples=200, deadline=None, database=None)
texts = st.text()
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
)
names = st.sampled_from(
    ["type", "Content-Type", "X-Messenger-Raw", "X-Messenger-Reply", f"{SYMFONY}DelayStamp", f"{SYMFONY}SentStamp"]
)
values = texts | st.sampled_from([TYPE, "base64", "application/json", '[{"delay":5}]']) | json_values.map(json.dumps)
headers = st.dictionaries(names | texts, values)
PLAIN = recorded("5.4", "plain")


def read(value: bytes) -> AnyEnvelope:
    """As a transport does; anything but MessageDecodingFailed is an error."""
    try:
        return serializer().decode(decode_value(value))
    except MessageDecodingFailed as error:
        return undecodable_value(value, str(error))


@short
@given(content=texts, to=st.none() | texts, bus=texts, delay=st.integers(0, 2**53), wrapped=st.booleans())
def test_any_text_comes_back(content: str, to: str | None, bus: str, delay: int, wrapped: bool) -> None:
    stamps = [BusNameStamp(bus), DelayStamp(delay), ErrorDetailsStamp("E", 0, content)]
    sent = Envelope(SmsNotification(content, to), stamps)
    value = encode_value(serializer().encode(sent))
    received = read(php_string.wrap(value) if wrapped else value)
    assert received.message == sent.message
    assert received.without_all(SerializedMessageStamp).stamps == sent.stamps


@short
@given(value=st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_read_or_kept(value: bytes) -> None:
    message = read(value).message
    assert isinstance(message, UndecodableMessage)
    assert message.reason


@short
@given(start=st.integers(0, len(PLAIN)), length=st.integers(0, 40), instead=st.binary(max_size=8))
def test_a_damaged_value_is_read_or_kept(start: int, length: int, instead: bytes) -> None:
    damaged = PLAIN[:start] + instead + PLAIN[start + length :]
    assert isinstance(read(damaged).message, UndecodableMessage | SmsNotification)


@short
@given(body=values, headers=headers)
def test_any_body_and_headers_are_read_or_kept_and_come_back(body: str, headers: dict[str, str]) -> None:
    first = serializer().encode(serializer().decode(Encoded(body, headers)))
    assert first.body == body
    assert serializer().encode(serializer().decode(first)) == first
