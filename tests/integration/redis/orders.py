"""The message these tests send, and a few ways to send and take it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass

from messenger.envelope import AnyEnvelope, Envelope
from messenger.messages import MessageRegistry, wire_name
from messenger.redis.dsn import parse_redis_dsn
from messenger.stamps import DeliveryStamp
from messenger.transports.base import Transport
from messenger.transports.redis.transport import RedisTransport
from messenger.wire.serializer import Serializer

LONG = 20.0  # seconds; how long a test waits for what must come


@dataclass(frozen=True)
class Order:
    """The message."""

    number: int
    text: str = ""


def never() -> bool:
    """A stop() that never asks to stop."""
    return False


def open_transport(dsn: str, worker: str, options: Mapping[str, object]) -> RedisTransport:
    """A transport that knows `Order`."""
    serializer = Serializer(MessageRegistry([Order]))
    return RedisTransport("orders", parse_redis_dsn("orders", dsn, options), serializer, worker)


def order(number: int, text: str = "") -> Envelope[Order]:
    """An order in an envelope."""
    return Envelope(Order(number, text))


def stored(number: int, text: str = "", **extra: str) -> bytes:
    """An order as another program would store it."""
    headers = {"type": wire_name(Order), "Content-Type": "application/json"}
    body = json.dumps({"number": number, "text": text})
    return json.dumps({"body": body, "headers": headers, **extra}, ensure_ascii=False).encode()


def look_for(transport: Transport, seconds: float) -> AnyEnvelope | None:
    """The next message, asked for again and again as a worker does."""
    deadline = time.monotonic() + seconds
    while True:
        taken = transport.get(0.1, never)
        if taken or time.monotonic() > deadline:
            return taken[0] if taken else None


def take(transport: Transport) -> AnyEnvelope:
    """The next message; fails when none comes."""
    envelope = look_for(transport, LONG)
    assert envelope is not None, "no message came"
    return envelope


def number_of(envelope: AnyEnvelope) -> int:
    """Which order it is; fails for anything else."""
    assert isinstance(envelope.message, Order), envelope
    return envelope.message.number


def deliveries(envelope: AnyEnvelope) -> int:
    """How often it was handed out."""
    stamp = envelope.last(DeliveryStamp)
    assert stamp is not None
    return stamp.count
