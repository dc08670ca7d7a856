"""What the in-memory transport offers beyond the contract: memory of what happened, and a clock to turn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from messenger.envelope import AnyEnvelope, Envelope
from messenger.errors import ConfigError, MessageEncodingFailed, TransportError
from messenger.messages import MessageRegistry
from messenger.stamps import DelayStamp, DeliveryStamp, ReceivedStamp, RedeliveryStamp, TransportMessageIdStamp
from messenger.transports.base import Depth, ListableTransport, Transport, TransportContext
from messenger.transports.memory import MemoryTransport, create
from messenger.wire.extension_headers import ReplyStamp
from messenger.wire.serializer import Serializer


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Unserializable:
    """No message class at all, but good enough for a transport that does not serialize."""


def never() -> bool:
    return False


def take(transport: Transport) -> AnyEnvelope:
    return transport.get(0, never)[0]


def test_what_happened_is_remembered() -> None:
    transport = MemoryTransport("async")
    sent = [transport.send(Envelope(name)) for name in "abc"]
    transport.ack(take(transport))
    transport.reject(take(transport))
    last = take(transport)
    transport.requeue(last, last.with_stamps(RedeliveryStamp(1)))
    assert [e.message for e in transport.sent] == ["a", "b", "c", "c"]
    assert transport.sent[:3] == sent
    assert [e.message for e in transport.acked] == ["a"]
    assert [e.message for e in transport.rejected] == ["b"]
    transport.reset()
    assert (transport.sent, transport.acked, transport.rejected) == ([], [], [])
    assert transport.depth() == Depth(0, 0, 0)


def test_ids_count_from_one() -> None:
    transport = MemoryTransport("async")
    assert [transport.send(Envelope("x")).last(TransportMessageIdStamp) for _ in range(2)] == [
        TransportMessageIdStamp("1"),
        TransportMessageIdStamp("2"),
    ]


def test_delays_and_leases_follow_the_clock() -> None:
    clock = Clock()
    transport = MemoryTransport("async", clock=clock, redeliver_timeout=10)
    transport.send(Envelope("late", [DelayStamp(1500)]))
    clock.now += 1.4
    assert transport.get(0, never) == []
    clock.now += 0.1
    assert transport.depth() == Depth(1, 0, 0, 0.0)
    clock.now += 2
    assert transport.depth() == Depth(1, 0, 0, 2.0)
    held = take(transport)
    clock.now += 9
    transport.keepalive(held)
    clock.now += 9
    assert transport.get(0, never) == []
    clock.now += 2
    assert take(transport).last(DeliveryStamp) == DeliveryStamp(2)


def test_without_serializing_the_object_itself_comes_back() -> None:
    message = Unserializable()
    transport = MemoryTransport("async")
    transport.send(Envelope(message, [ReceivedStamp("elsewhere"), ReplyStamp("f" * 32), RedeliveryStamp(1)]))
    received = take(transport)
    assert received.message is message
    assert received.last(ReceivedStamp) is None, "a stamp of the sending process"
    assert received.last(ReplyStamp) == ReplyStamp("f" * 32)
    assert received.last(RedeliveryStamp) is not None


def test_with_serializing_a_message_must_be_writable(tmp_path: Path) -> None:
    transport = make("in-memory://?serialize=true", tmp_path)
    with pytest.raises(MessageEncodingFailed):
        transport.send(Envelope(Unserializable()))


def test_it_can_be_listed(tmp_path: Path) -> None:
    assert isinstance(make("in-memory://", tmp_path), ListableTransport)


def test_an_envelope_from_elsewhere_is_refused() -> None:
    with pytest.raises(TransportError, match="did not come from here"):
        MemoryTransport("async").ack(Envelope("x"))


@pytest.mark.parametrize(
    ("dsn", "expected"),
    [
        ("in-memory://?serialise=1", "unknown option 'serialise'; allowed: redeliver_timeout, serialize"),
        ("in-memory://?serialize=perhaps", "allowed: true or false"),
        ("in-memory://?redeliver_timeout=0", "allowed: seconds, more than 0"),
        ("in-memory://host/path", "allowed: in-memory://"),
    ],
)
def test_a_bad_dsn_is_explained(dsn: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=expected):
        make(dsn, tmp_path)


def make(dsn: str, directory: Path, **options: Any) -> Transport:
    context = TransportContext(Serializer(MessageRegistry()), lambda envelope: envelope, directory, "worker-1")
    return create("async", dsn, options, context)
