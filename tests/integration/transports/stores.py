"""The stores the contract suite runs against, each behind the same few names."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from messenger.envelope import AnyEnvelope, Envelope
from messenger.messages import MessageRegistry
from messenger.transports.base import Transport, TransportContext, TransportFactory
from messenger.wire.serializer import Serializer
from tests.integration.servers import PostgresServer, RedisServer, Server

NAMES = ("memory", "sqlite", "postgresql", "redis")
SERVERS = ("postgresql", "redis")


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


def number_envelope(number: int, text: str = "") -> Envelope[Order]:
    """An order in an envelope."""
    return Envelope(Order(number, text))
