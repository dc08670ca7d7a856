"""Applications with a database of their own, once on SQLite and once on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.sql.outboxed import Outboxed
from tests.integration.sql.shop import Shop
from tests.support.forker import Forker
from tests.support.servers import PostgresServer, RedisServer


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """An application's directory and its empty database."""
    server = request.getfixturevalue("postgres_server") if request.param == "postgresql" else None
    made = Shop(tmp_path, server.url if server is not None else f"sqlite:///{tmp_path}/shop.db", server)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield made
    made.close()


@pytest.fixture
def postgres_shop(tmp_path: Path, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """The same on PostgreSQL only."""
    made = Shop(tmp_path, postgres_server.url, postgres_server)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield made
    made.close()


@pytest.fixture
def outboxed(shop: Shop, redis_server: RedisServer, _forker: Forker) -> Iterator[Outboxed]:
    """An application with an outbox on each database, before an empty Redis."""
    made = Outboxed(shop, redis_server, _forker)
    yield made
    made.close()


@pytest.fixture
def postgres_outboxed(postgres_shop: Shop, redis_server: RedisServer, _forker: Forker) -> Iterator[Outboxed]:
    """The same on PostgreSQL only."""
    made = Outboxed(postgres_shop, redis_server, _forker)
    yield made
    made.close()
