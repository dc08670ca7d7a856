"""The servers the other integration tests rely on."""

from __future__ import annotations

import os

from tests.support.servers import PostgresServer, RedisServer


def test_redis_keeps_its_data_over_a_restart(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.set("key", "value")
    first = redis_server.pid
    redis_server.stop()
    assert not redis_server.running
    redis_server.start()
    with redis_server.client() as client:
        assert client.get("key") == b"value"
    assert redis_server.pid != first


def test_redis_is_empty_for_the_next_test(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        assert client.dbsize() == 0


def test_redis_urls(redis_server: RedisServer) -> None:
    port = redis_server.port
    assert redis_server.url() == f"redis://127.0.0.1:{port}"
    assert redis_server.url("/stream") == redis_server.url("stream") == f"redis://127.0.0.1:{port}/stream"
    assert redis_server.url("?serializer=1") == f"redis://127.0.0.1:{port}?serializer=1"


def test_postgres_keeps_its_data_over_a_restart(postgres_server: PostgresServer) -> None:
    postgres_server.execute("CREATE TABLE kept (id int)")
    postgres_server.stop()
    assert not postgres_server.running
    postgres_server.start()
    assert postgres_server.execute("SELECT count(*) FROM kept") == [(0,)]
    os.kill(postgres_server.pid, 0)


def test_postgres_is_empty_for_the_next_test(postgres_server: PostgresServer) -> None:
    assert postgres_server.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []
