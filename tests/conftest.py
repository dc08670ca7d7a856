"""Fixtures any test may use: a Redis, a Redis Cluster and a PostgreSQL server, real, started when first asked for."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.support.cluster import Cluster
from tests.support.forker import Forker
from tests.support.servers import PostgresServer, RedisServer


def pytest_configure() -> None:
    """A shell starts what it runs in the background with SIGINT ignored, and programs that tests start inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def _forker() -> Iterator[Forker]:
    forker = Forker()
    yield forker
    forker.close()


@pytest.fixture(scope="session")
def _redis_process() -> Iterator[RedisServer]:
    server = RedisServer()
    try:
        yield server
    finally:
        server.destroy()


@pytest.fixture
def redis_server(_redis_process: RedisServer) -> RedisServer:
    """A running, empty redis-server. A test may stop() and start() it."""
    _redis_process.start()
    _redis_process.clear()
    return _redis_process


@pytest.fixture(scope="session")
def _cluster_processes() -> Iterator[Cluster]:
    cluster = Cluster()
    try:
        yield cluster
    finally:
        cluster.destroy()


@pytest.fixture
def redis_cluster(_cluster_processes: Cluster) -> Cluster:
    """A running, empty Redis Cluster. A test may end its servers and move its slots."""
    _cluster_processes.start()
    _cluster_processes.clear()
    return _cluster_processes


@pytest.fixture(scope="session")
def _postgres_process() -> Iterator[PostgresServer]:
    server = PostgresServer()
    try:
        yield server
    finally:
        server.destroy()


@pytest.fixture
def postgres_server(_postgres_process: PostgresServer) -> PostgresServer:
    """A running PostgreSQL with an empty database. A test may stop() and start() it."""
    _postgres_process.start()
    _postgres_process.clear()
    return _postgres_process
