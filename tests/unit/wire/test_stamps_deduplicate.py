"""A DeduplicateStamp on the wire, and what it may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from messenger import DeduplicateStamp
from messenger.envelope import Envelope
from messenger.messages import MessageRegistry
from messenger.stamps import ForeignHeadersStamp
from messenger.wire.encoded import Encoded, UndecodableMessage
from messenger.wire.serializer import Serializer

HEADER = "X-Messenger-Deduplicate"


@dataclass
class Report:
    number: int = 0


SERIALIZER = Serializer(MessageRegistry([Report]))


def decode(value: str, **headers: str) -> Envelope[Any]:
    body = headers.pop("body", "{}")
    name = f"{__name__}.Report"
    return SERIALIZER.decode(Encoded(body, {"type": name, HEADER: value, **headers}))


def test_it_is_a_plain_header_there_and_back() -> None:
    stamp = DeduplicateStamp('report "7" Zoë', 12.5, only_in_queue=True)
    encoded = SERIALIZER.encode(Envelope(Report(), [DeduplicateStamp("older"), stamp]))
    assert encoded.headers[HEADER] == '{"key":"report \\"7\\" Zoë","ttl":12.5,"onlyInQueue":true}'
    assert not [name for name in encoded.headers if name.startswith("X-Message-Stamp-")]
    envelope = SERIALIZER.decode(encoded)
    assert envelope.all(DeduplicateStamp) == [stamp]
    assert envelope.last(ForeignHeadersStamp) is None


def test_another_program_may_leave_out_all_but_the_key_and_add_its_own() -> None:
    assert decode('{"key": "k", "more": 1}').last(DeduplicateStamp) == DeduplicateStamp("k", 300.0)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "[]",
        "k",
        "{}",
        '{"key": 7}',
        '{"key": ""}',
        '{"key": "' + "x" * 501 + '"}',
        '{"key": "k", "ttl": "300"}',
        '{"key": "k", "ttl": 2.9}',
        '{"key": "k", "ttl": 1e400}',
        '{"key": "k", "ttl": null}',
        '{"key": "k", "onlyInQueue": 1}',
        "[" * 100_000,
    ],
)
def test_a_wrong_one_is_never_handled_and_kept_as_it_came(value: str) -> None:
    envelope = decode(value)
    assert isinstance(envelope.message, UndecodableMessage)
    assert envelope.message.reason.startswith(f"the header {HEADER} is not a DeduplicateStamp: ")
    assert envelope.last(DeduplicateStamp) is None
    assert SERIALIZER.encode(envelope).headers[HEADER] == value


def test_a_message_that_cannot_be_read_keeps_its_stamp() -> None:
    envelope = decode('{"key":"k","ttl":300.0,"onlyInQueue":false}', body="{")
    assert isinstance(envelope.message, UndecodableMessage)
    assert envelope.last(DeduplicateStamp) == DeduplicateStamp("k")
    assert SERIALIZER.encode(envelope).headers[HEADER] == '{"key":"k","ttl":300.0,"onlyInQueue":false}'


@pytest.mark.parametrize("key", ["", "x" * 501, "\ud800", 7, None])
def test_a_key_is_a_text(key: Any) -> None:
    with pytest.raises(ValueError, match="^the key of a DeduplicateStamp is a text of 1 to 500 characters, not "):
        DeduplicateStamp(key)


@pytest.mark.parametrize("ttl", [0, 2.99, -1, float("nan"), float("inf"), 31_622_401, "300", None])
def test_a_ttl_is_3_seconds_to_a_year(ttl: Any) -> None:
    with pytest.raises(ValueError, match="^the ttl of a DeduplicateStamp is 3 to 31622400 seconds, not "):
        DeduplicateStamp("k", ttl)
    assert [DeduplicateStamp("x" * 500, each).ttl for each in (3, 31_622_400)] == [3, 31_622_400]
