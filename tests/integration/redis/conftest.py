"""Transports and raw access to one Redis."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import redis

from messenger.transports.redis.transport import RedisTransport
from tests.integration.redis.orders import open_transport
from tests.integration.redis.servers import LockedRedis
from tests.support.servers import RedisServer

Open = Callable[..., RedisTransport]


@pytest.fixture
def opened(redis_server: RedisServer) -> Iterator[Open]:
    """Opens a transport: the path and query of its DSN on the shared server, or a whole DSN. Closed after the test."""
    transports: list[RedisTransport] = []

    def open_(dsn: str = "/orders", worker: str = "worker", **options: object) -> RedisTransport:
        dsn = dsn if ":" in dsn.split("?")[0] else redis_server.url(dsn)
        transports.append(open_transport(dsn, worker, options))
        return transports[-1]

    yield open_
    for transport in transports:
        transport.close()


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    """A plain client of the shared server."""
    with redis_server.client() as connected:
        yield connected


@pytest.fixture(scope="session")
def _locked_process() -> Iterator[LockedRedis]:
    server = LockedRedis()
    try:
        server.start()
        yield server
    finally:
        server.destroy()


@pytest.fixture
def locked(_locked_process: LockedRedis) -> LockedRedis:
    """A server with password, users, socket and TLS; empty."""
    _locked_process.clear()
    return _locked_process
