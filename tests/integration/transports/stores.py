"""The stores the contract suite runs against, each behind the same few names."""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from messenger.envelope import AnyEnvelope, Envelope
from messenger.messages import MessageRegistry
from messenger.stamps import DeliveryStamp, TransportMessageIdStamp
from messenger.transports.base import ListableTransport, Transport, TransportContext, TransportFactory
from messenger.wire.serializer import Serializer
from tests.support.cluster import Cluster
from tests.support.servers import PostgresServer, RedisServer, Server

NAMES = ("memory", "sqlite", "postgresql", "redis", "redis-cluster")
SERVERS = ("postgresql", "redis")
LONG = 20.0  # seconds; how long a test waits for what must come


@dataclass(frozen=True)
class Order:
    """The message the suite sends."""

    number: int
    text: str = ""


def never() -> bool:
    """A stop() that never asks to stop."""
    return False


def order_number(envelope: AnyEnvelope) -> int:
    """Which order this is; fails for anything else."""
    assert isinstance(envelope.message, Order), envelope
    return envelope.message.number


def look_for(transport: Transport, seconds: float) -> AnyEnvelope | None:
    """The next message; asks as a worker does, again and again, because one get() may come back early with nothing."""
    deadline = time.monotonic() + seconds
    while True:
        taken = transport.get(0.25, never)
        assert len(taken) <= 1
        if taken or time.monotonic() > deadline:
            return taken[0] if taken else None


def take(transport: Transport) -> AnyEnvelope:
    """The next message; fails when none comes."""
    envelope = look_for(transport, LONG)
    assert envelope is not None, "no message came"
    return envelope


def take_several(transport: Transport, count: int) -> list[AnyEnvelope]:
    """The next `count` messages, asked for together; a transport may give them in several portions."""
    taken: list[AnyEnvelope] = []
    deadline = time.monotonic() + LONG
    while len(taken) < count:
        assert time.monotonic() < deadline, f"of {count} messages only {len(taken)} came"
        taken.extend(transport.get(0.25, never, count - len(taken)))
    assert len(taken) == count
    return taken


@contextmanager
def kept_alive(transport: Transport, envelope: AnyEnvelope) -> Iterator[None]:
    """Inside, another thread says again and again that this message is being worked on."""
    done = threading.Event()

    def keep_alive() -> None:
        while not done.wait(transport.keepalive_interval):
            transport.keepalive(envelope)

    with ThreadPoolExecutor(1) as pool:
        beat = pool.submit(keep_alive)
        try:
            yield
        finally:
            done.set()
        beat.result()


def message_id(envelope: AnyEnvelope) -> str:
    """The id its transport gave it."""
    stamp = envelope.last(TransportMessageIdStamp)
    assert stamp is not None
    return stamp.id


def deliveries(envelope: AnyEnvelope) -> int:
    """How often it was handed out."""
    stamp = envelope.last(DeliveryStamp)
    assert stamp is not None
    return stamp.count


def listed(transport: Transport, limit: int = 100) -> list[AnyEnvelope]:
    """What is in the transport, without taking it."""
    assert isinstance(transport, ListableTransport)
    return list(transport.all(limit))


def find(transport: Transport, id_: str) -> AnyEnvelope | None:
    """The message with this id, without taking it."""
    assert isinstance(transport, ListableTransport)
    return transport.find(id_)


def build(factory: str, name: str, dsn: str, context: TransportContext) -> Transport:
    """A transport from "module:function", as the application makes it."""
    module, function = factory.split(":")
    create: TransportFactory = getattr(importlib.import_module(module), function)
    return create(name, dsn, {}, context)


def context_for(state_dir: Path, worker_id: str, connections: Mapping[str, str] | None = None) -> TransportContext:
    """What an application that knows `Order` gives its transports."""
    serializer = Serializer(MessageRegistry([Order]))
    return TransportContext(serializer, lambda envelope: envelope, state_dir, worker_id, connections or {})


@dataclass
class Store:
    """One real store. Every open() is a receiver or sender of its own, as another process would be."""

    name: str
    state_dir: Path
    factory: str
    dsn: str
    connections: Mapping[str, str] = field(default_factory=dict)
    server: Server | None = None
    # Memory has no outside: there, every open() gives the same transport.
    shared: bool = False
    opened: list[Transport] = field(default_factory=list)

    def open(self, lease: int = 60) -> Transport:
        """A transport on this store. lease: seconds, its redeliver_timeout."""
        if self.shared and self.opened:
            return self.opened[0]
        context = context_for(self.state_dir, f"worker-{len(self.opened)}", self.connections)
        transport = build(self.factory, "orders", self.dsn.format(lease=lease), context)
        self.opened.append(transport)
        return transport

    def close(self) -> None:
        """Close everything that was opened."""
        for transport in self.opened:
            transport.close()


def memory_store(directory: Path) -> Store:
    dsn = "in-memory://?serialize=true&redeliver_timeout={lease}"
    return Store("memory", directory, "messenger.transports.memory:create", dsn, shared=True)


def sqlite_store(directory: Path) -> Store:
    dsn = "doctrine://default?queue_name=orders&redeliver_timeout={lease}"
    return Store("sqlite", directory, "messenger.transports.sql:create", dsn)


def postgresql_store(directory: Path, server: PostgresServer) -> Store:
    dsn = "doctrine://main?queue_name=orders&redeliver_timeout={lease}"
    return Store("postgresql", directory, "messenger.transports.sql:create", dsn, {"main": server.url}, server)


def redis_store(directory: Path, server: RedisServer) -> Store:
    dsn = server.url("/orders?redeliver_timeout={lease}&claim_interval=100")
    return Store("redis", directory, "messenger.transports.redis:create", dsn, server=server)


def redis_cluster_store(directory: Path, cluster: Cluster) -> Store:
    dsn = cluster.url("/{{orders}}?redeliver_timeout={lease}&claim_interval=100")
    return Store("redis-cluster", directory, "messenger.transports.redis:create", dsn)


def number_envelope(number: int, text: str = "") -> Envelope[Order]:
    """An order in an envelope."""
    return Envelope(Order(number, text))
