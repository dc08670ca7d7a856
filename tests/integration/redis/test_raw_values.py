"""Entries that are no envelope: kept whole, and sent back byte for byte for a worker that can read them."""

from __future__ import annotations

from typing import cast

import pytest
import redis

from messenger.envelope import AnyEnvelope
from messenger.failure.handling import redelivery, with_error
from messenger.stamps import (
    DelayStamp,
    DeliveryStamp,
    RedeliveryStamp,
    SentToFailureTransportStamp,
    TransportMessageIdStamp,
)
from messenger.wire.encoded import UndecodableMessage
from tests.integration.redis.conftest import Open
from tests.integration.redis.orders import take

VALUES = {
    "igbinary": b"\x00\x00\x00\x02\x14\x01\x11\x04body",
    "another wrapper": b'"{\\"body\\":\\"{}\\",\\"headers\\":[]}"',
    "no text": b"\xff\xfe\x00",
    "empty": b"",
}


def values(client: redis.Redis) -> list[bytes]:
    entries = cast("list[tuple[bytes, dict[bytes, bytes]]]", client.xrange("orders"))
    return [fields[b"message"] for _, fields in entries]


def put_aside(envelope: AnyEnvelope) -> AnyEnvelope:
    """As a worker sends it to the failure transport."""
    failed = with_error(envelope, ValueError("cannot be read")).with_stamps(SentToFailureTransportStamp("orders"))
    return redelivery(failed, 0, 0)


def sent_back(envelope: AnyEnvelope) -> AnyEnvelope:
    """As `failed retry` sends it."""
    for kind in (SentToFailureTransportStamp, DelayStamp, RedeliveryStamp, TransportMessageIdStamp, DeliveryStamp):
        envelope = envelope.without_all(kind)
    return envelope


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("serializer", [0, 1])
def test_after_the_failure_transport_it_is_what_it_was(
    opened: Open, client: redis.Redis, name: str, serializer: int
) -> None:
    transport, failures = opened(f"/orders?serializer={serializer}"), opened("/failed")
    client.xadd("orders", {"message": VALUES[name]})
    received = take(transport)
    assert isinstance(received.message, UndecodableMessage)
    failures.send(put_aside(received))
    transport.reject(received)
    transport.send(sent_back(take(failures)))
    assert values(client) == [VALUES[name]]
    assert isinstance(take(transport).message, UndecodableMessage)


def test_what_is_retried_keeps_its_count(opened: Open, client: redis.Redis) -> None:
    transport = opened()
    client.xadd("orders", {"message": VALUES["no text"]})
    received = take(transport)
    transport.requeue(received, received.with_stamps(RedeliveryStamp(2)))
    again = take(transport)
    assert again.message == received.message
    assert again.last(RedeliveryStamp) is not None


def test_what_is_put_back_for_later_comes_later(opened: Open, client: redis.Redis) -> None:
    transport = opened()
    client.xadd("orders", {"message": VALUES["no text"]})
    received = take(transport)
    transport.requeue(received, received.with_stamps(DelayStamp(60_000)))  # as a rate limiter does
    assert (transport.depth().ready, transport.depth().delayed) == (0, 1)
