"""Every way to reach a Redis, and what is said when it cannot be reached or refuses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from messenger import TransportError, TransportUnavailable
from messenger.redis.connection import RedisReplyError
from messenger.transports.redis.transport import RedisTransport
from tests.integration.redis.conftest import Open
from tests.integration.redis.orders import LONG, number_of, order, take
from tests.integration.redis.servers import ENCODED, PASSWORD, Authority, LockedRedis, Replica, Sentinel
from tests.support.servers import RedisServer, free_port, wait_until


def works(transport: RedisTransport) -> None:
    """It sends, takes, renews, acknowledges."""
    transport.setup()
    transport.send(order(1))
    envelope = take(transport)
    assert number_of(envelope) == 1
    transport.keepalive(envelope)
    transport.ack(envelope)
    assert transport.depth().ready == 0


# --- ways that work -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dsn",
    [
        f"redis://{ENCODED}@127.0.0.1:PORT/orders",
        f"redis://:{ENCODED}@127.0.0.1:PORT/orders",
        f"redis://default:{ENCODED}@127.0.0.1:PORT/orders",
        f"redis://ann:{ENCODED}@127.0.0.1:PORT/orders",
        f"redis://127.0.0.1:PORT/orders?auth={ENCODED}",
        f"redis://{ENCODED}@localhost:PORT/orders/symfony/consumer?auto_setup=true&serializer=1&stream_max_entries=0&dbindex=0",
        f"redis://{ENCODED}@SOCKET?stream=orders",
        f"redis://ann:{ENCODED}@SOCKET?stream=orders",
        f"rediss://{ENCODED}@127.0.0.1:TPORT/orders?ssl[cafile]=CA",
        f"rediss://ann:{ENCODED}@127.0.0.1:TPORT/orders?ssl[cafile]=CA",
        f"valkeys://{ENCODED}@127.0.0.1:TPORT/orders?ssl[verify_peer]=0",
    ],
)
def test_a_dsn_that_works(locked: LockedRedis, opened: Open, dsn: str) -> None:
    works(opened(locked.filled(dsn)))


def test_tls_with_a_client_certificate_from_the_options(locked: LockedRedis, opened: Open) -> None:
    ssl = {
        "cafile": str(locked.ca.file),
        "local_cert": str(locked.directory / "client.pem"),
        "local_pk": str(locked.directory / "client.key"),
    }
    works(opened(f"rediss://{ENCODED}@127.0.0.1:{locked.tls_port}/orders", ssl=ssl))


def test_the_database_of_the_dsn_is_used(opened: Open, redis_server: RedisServer, client: redis.Redis) -> None:
    opened("/orders?dbindex=3").send(order(1))
    assert client.exists("orders") == 0
    with redis.Redis(host="127.0.0.1", port=redis_server.port, db=3) as third:
        assert third.xlen("orders") == 1


# --- ways that do not ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dsn", "address", "why"),
    [
        ("redis://127.0.0.1:PORT/orders", "127.0.0.1:PORT (db 0)", "the password or user was refused"),
        ("redis://s3cr3t@127.0.0.1:PORT", "127.0.0.1:PORT (db 0)", "the password or user was refused"),
        ("redis://bob:s3cr3t@127.0.0.1:PORT", "127.0.0.1:PORT (db 0, user bob)", "the password or user was refused"),
        ("redis://s3cr3t@/nowhere/r.sock", "/nowhere/r.sock (db 0)", "No such file or directory"),
        ("redis://s3cr3t@127.0.0.1:1", "127.0.0.1:1 (db 0)", "Connection refused"),
        ("redis://s3cr3t@no-such-host.invalid", "no-such-host.invalid:6379 (db 0)", ""),
        ("rediss://s3cr3t@127.0.0.1:TPORT", "127.0.0.1:TPORT (db 0, TLS)", "certificate verify failed"),
        ("rediss://s3cr3t@127.0.0.1:PORT?timeout=0.5&read_timeout=0.5", "127.0.0.1:PORT (db 0, TLS)", ""),
        ("redis://s3cr3t@127.0.0.1:TPORT", "127.0.0.1:TPORT (db 0)", ""),
        (f"rediss://{ENCODED}@localhost:TPORT?ssl[cafile]=CA", "localhost:TPORT (db 0, TLS)", "certificate"),
        (f"redis://{ENCODED}@127.0.0.1:PORT?dbindex=99", "127.0.0.1:PORT (db 99)", "out of range"),
    ],
)
def test_what_cannot_be_reached_is_said_with_its_address_and_without_its_password(
    locked: LockedRedis, opened: Open, dsn: str, address: str, why: str
) -> None:
    with pytest.raises(TransportUnavailable) as caught:
        opened(locked.filled(dsn)).send(order(1))
    text = str(caught.value)
    assert text.startswith(f"redis at {locked.filled(address)}: ")
    assert why in text
    assert "\n" not in text
    for secret in (PASSWORD, ENCODED, "s3cr3t"):
        assert secret not in text


def test_a_certificate_of_another_authority_is_refused(locked: LockedRedis, opened: Open) -> None:
    other = Authority(locked.directory, "other")
    dsn = f"rediss://{ENCODED}@127.0.0.1:{locked.tls_port}/orders?ssl[cafile]={other.file}"
    with pytest.raises(TransportUnavailable, match="certificate verify failed"):
        opened(dsn).send(order(1))


def test_a_user_without_the_right_is_a_refusal_that_says_which(locked: LockedRedis, opened: Open) -> None:
    with pytest.raises(TransportError, match=r"user ann\): .*permissions") as caught:
        opened(f"redis://ann:{ENCODED}@127.0.0.1:{locked.port}/forbidden").send(order(1))
    assert not isinstance(caught.value, TransportUnavailable)
    assert PASSWORD not in str(caught.value)


def test_a_full_server_is_a_refusal_and_nothing_is_lost(opened: Open, client: redis.Redis) -> None:
    transport = opened()
    transport.send(order(1))
    held = take(transport)
    client.config_set("maxmemory", 1)
    try:
        with pytest.raises(RedisReplyError) as on_send:
            transport.send(order(2))
        with pytest.raises(RedisReplyError) as on_requeue:
            transport.requeue(held, held)
        assert on_send.value.code == on_requeue.value.code == "OOM"
        assert "maxmemory" in str(on_send.value)
        assert transport.depth().in_flight == 1
    finally:
        client.config_set("maxmemory", 0)
    transport.requeue(held, held)
    assert number_of(take(transport)) == 1


# --- while it runs ------------------------------------------------------------------------------------------------


def test_scripts_that_the_server_forgot_are_sent_again(opened: Open, client: redis.Redis) -> None:
    transport = opened()
    transport.send(order(1))
    envelope = take(transport)
    client.script_flush()
    transport.keepalive(envelope)
    transport.requeue(envelope, envelope)
    client.script_flush()
    works_again = take(transport)
    assert number_of(works_again) == 1
    client.script_flush()
    transport.reject(works_again)
    assert client.xlen("orders") == 0


def test_what_a_server_cannot_do_now_is_not_taken_for_done(opened: Open, client: redis.Redis) -> None:
    transport = opened()
    transport.send(order(1))
    held = take(transport)
    transport.requeue(held, held)  # it knows the script
    held = take(transport)
    client.replicaof("127.0.0.1", free_port())  # as after a failover: it has the data and takes no more
    try:
        with pytest.raises(TransportUnavailable, match="read only replica"):
            transport.requeue(held, held)
        with pytest.raises(TransportUnavailable, match="read only replica"):
            opened(worker="other").setup()
    finally:
        client.replicaof("NO", "ONE")
    transport.requeue(held, held)
    assert number_of(take(transport)) == 1


def test_a_connection_that_the_server_closed_meanwhile_is_opened_again(opened: Open, client: redis.Redis) -> None:
    """As with Redis's `timeout` for idle clients: a web application may dispatch once an hour."""
    transport = opened()
    transport.send(order(1))
    client.client_kill_filter(skipme=True)
    transport.send(order(2))
    assert client.xlen("orders") == 2


def test_a_restart_of_the_server_loses_nothing(opened: Open, redis_server: RedisServer) -> None:
    transport = opened()
    for number in range(3):
        transport.send(order(number))
    held = take(transport)
    redis_server.stop()
    redis_server.start()

    def acknowledged() -> bool:
        try:
            transport.ack(held)
        except TransportUnavailable:
            return False
        return True

    wait_until(acknowledged, LONG, "it works again")
    assert [number_of(take(transport)) for _ in range(2)] == [1, 2]


# --- sentinel -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def watched() -> Iterator[tuple[RedisServer, Replica, Sentinel]]:
    """A master, its replica, and a sentinel that knows both."""
    master = RedisServer()
    replica, sentinel = Replica(master), Sentinel(master)
    try:
        master.start()
        with master.client() as client:
            client.config_set("repl-diskless-sync-delay", 0)
            replica.start()
            wait_until(lambda: client.info("replication")["connected_slaves"] == 1, LONG, "the replica is there")
        sentinel.start()  # it looks for replicas at once, and then every ten seconds only
        yield master, replica, sentinel
    finally:
        for server in (sentinel, replica, master):
            server.destroy()


def test_a_sentinel_is_asked_for_the_master_and_followed_when_it_changes(
    watched: tuple[RedisServer, Replica, Sentinel], opened: Open
) -> None:
    master, replica, sentinel = watched
    nobody = f"host[127.0.0.1:{free_port()}]"  # the first one asked is down
    transport = opened(f"redis:?{nobody}&host[127.0.0.1:{sentinel.port}]&sentinel_master=main&stream=orders")
    works(transport)
    transport.send(order(2))
    with master.client() as client, sentinel.client() as asked:
        assert client.xlen("orders") == 1
        wait_until(lambda: len(asked.sentinel_slaves("main")) == 1, LONG, "the sentinel sees the replica")
        assert client.wait(1, 10_000) == 1
    master.stop()

    def follows() -> bool:
        try:
            transport.send(order(3))
        except TransportError:
            return False
        return True

    wait_until(follows, 30, "the transport has found the new master")
    with replica.client() as client:
        assert client.xlen("orders") == 2
    assert sorted(number_of(take(transport)) for _ in range(2)) == [2, 3]


def test_a_master_no_sentinel_knows_is_said(watched: tuple[RedisServer, Replica, Sentinel], opened: Open) -> None:
    sentinel = watched[2]
    dsn = f"redis://s3cr3t@?host[127.0.0.1:{sentinel.port}]&sentinel_master=other&stream=orders"
    with pytest.raises(TransportUnavailable) as caught:
        opened(dsn).send(order(1))
    assert str(caught.value).startswith(f"redis master 'other' (sentinels 127.0.0.1:{sentinel.port}): ")
    assert "s3cr3t" not in str(caught.value)
