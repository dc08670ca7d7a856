"""The stores as fixtures: `store` runs a test once for every transport, `sql` once for each database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.transports.stores import (
    NAMES,
    Store,
    memory_store,
    postgresql_store,
    redis_cluster_store,
    redis_store,
    sqlite_store,
)
from tests.support.servers import PostgresServer


@pytest.fixture(params=NAMES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store, its server running. Servers are started only for the stores that have one."""
    made = _make(request.param, request, tmp_path)
    yield made
    made.close()


def _make(name: str, request: pytest.FixtureRequest, directory: Path) -> Store:
    if name == "memory":
        return memory_store(directory)
    if name == "sqlite":
        return sqlite_store(directory)
    if name == "postgresql":
        return postgresql_store(directory, request.getfixturevalue("postgres_server"))
    if name == "redis-cluster":
        return redis_cluster_store(directory, request.getfixturevalue("redis_cluster"))
    return redis_store(directory, request.getfixturevalue("redis_server"))


@pytest.fixture(params=["sqlite", "postgresql"])
def sql(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty SQL store."""
    if request.param == "sqlite":
        made = sqlite_store(tmp_path)
    else:
        made = postgresql_store(tmp_path, request.getfixturevalue("postgres_server"))
    yield made
    made.close()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Store]:
    """An empty SQLite store."""
    made = sqlite_store(tmp_path / "state")
    yield made
    made.close()


@pytest.fixture
def postgresql(tmp_path: Path, postgres_server: PostgresServer) -> Iterator[Store]:
    """An empty PostgreSQL store."""
    made = postgresql_store(tmp_path, postgres_server)
    yield made
    made.close()
