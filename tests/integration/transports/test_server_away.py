"""A server that goes away and comes back: said plainly, without its password, and nothing is lost."""

from __future__ import annotations

import dataclasses
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from messenger.envelope import AnyEnvelope
from messenger.errors import TransportUnavailable
from messenger.transports.base import Depth, Transport
from tests.integration.transports.stores import (
    SERVERS,
    Store,
    never,
    number_envelope,
    order_number,
    postgresql_store,
    redis_store,
)
from tests.support.servers import POSTGRES_PASSWORD, Server, wait_until

BACK_SECONDS = 20.0
PASSWORD = POSTGRES_PASSWORD


@pytest.fixture(params=SERVERS)
def server_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store with a server that the test may stop."""
    if request.param == "postgresql":
        made = postgresql_store(tmp_path, request.getfixturevalue("postgres_server"))
    else:
        made = redis_store(tmp_path, request.getfixturevalue("redis_server"))
    yield made
    made.close()


def server_of(store: Store) -> Server:
    assert store.server is not None
    return store.server


def with_password(store: Store) -> Store:
    """The same store, its DSN with a password in it (PostgreSQL's has one anyway)."""
    return dataclasses.replace(store, dsn=store.dsn.replace("redis://", f"redis://worker:{PASSWORD}@"), opened=[])


def once_it_is_back(call: Callable[[], object]) -> None:
    """Call until the transport is not unavailable any more, as a worker does."""

    def succeeds() -> bool:
        try:
            call()
        except TransportUnavailable:
            return False
        return True

    wait_until(succeeds, BACK_SECONDS, "the transport did not work again")


def taken(transport: Transport) -> list[AnyEnvelope]:
    received: list[AnyEnvelope] = []

    def take() -> None:
        received.extend(transport.get(5, never))

    once_it_is_back(take)
    return received


def test_every_call_says_that_the_server_is_away(server_store: Store) -> None:
    server = server_of(server_store)
    transport = server_store.open()
    transport.send(number_envelope(1))
    held = taken(transport)[0]
    never_used = with_password(server_store).open()
    server.stop()
    calls: list[Callable[[], object]] = [
        transport.setup,
        lambda: transport.send(number_envelope(2)),
        lambda: transport.get(0, never),
        lambda: transport.ack(held),
        lambda: transport.reject(held),
        lambda: transport.requeue(held, held),
        lambda: transport.keepalive(held),
        transport.depth,
        lambda: never_used.send(number_envelope(3)),
    ]
    for call in calls:
        with pytest.raises(TransportUnavailable) as caught:
            call()
        assert f"127.0.0.1:{server.port}" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert PASSWORD not in "".join(traceback.format_exception(caught.value))
    never_used.close()


def test_it_works_again_once_the_server_is_back(server_store: Store) -> None:
    server = server_of(server_store)
    transport = server_store.open()
    transport.send(number_envelope(1))
    transport.send(number_envelope(2))
    held = taken(transport)[0]
    server.stop()
    with pytest.raises(TransportUnavailable):
        transport.get(0, never)
    server.start()
    once_it_is_back(lambda: transport.keepalive(held))
    assert order_number(taken(transport)[0]) == 2
    once_it_is_back(lambda: transport.ack(held))
    assert transport.depth() == Depth(0, 1, 0)


def test_a_wait_ends_when_the_server_goes_away(server_store: Store) -> None:
    server = server_of(server_store)
    transport = server_store.open()
    transport.setup()
    asked = 0

    def stop_the_server() -> bool:
        nonlocal asked
        asked += 1
        if asked == 3:
            server.stop()
        return False

    with pytest.raises(TransportUnavailable):
        transport.get(60, stop_the_server)
