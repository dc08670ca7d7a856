"""One table, two languages: Symfony's Doctrine transport, in real PHP, beside ours."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from messenger.stamps import DelayStamp, DeliveryStamp, ForeignHeadersStamp
from messenger.transports.base import Depth
from messenger.wire.encoded import UndecodableMessage
from tests.integration.transports.stores import (
    Order,
    Store,
    never,
    number_envelope,
    order_number,
    postgresql_store,
    sqlite_store,
    take,
)
from tests.support.servers import POSTGRES_PASSWORD, PostgresServer, wait_until

TYPE = "tests.integration.transports.stores.Order"
PEER = Path(__file__).with_name("doctrine_peer.php")
PACKAGES = "php-cli php-symfony-doctrine-messenger php-doctrine-dbal php-sqlite3 php-pgsql"


class Peer:
    """PHP's Doctrine transport on the same database and queue."""

    def __init__(self, database: Mapping[str, Any]) -> None:
        php = shutil.which("php")
        if php is None:
            pytest.fail(f"PHP is not installed; on Debian: apt-get install {PACKAGES}")
        self._php = php
        self._database = database

    def __call__(self, call: str, **arguments: Any) -> Any:
        order = {"database": self._database, "queue": "orders", "call": call, **arguments}
        done = subprocess.run([self._php, str(PEER)], input=json.dumps(order), capture_output=True, text=True)
        if done.returncode != 0:
            pytest.fail(f"PHP: {call} failed (it needs: {PACKAGES}):\n{done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def take(self) -> dict[str, Any]:
        """The next row. PHP compares whole seconds, so it sees a new message up to a second later."""
        rows: list[dict[str, Any]] = []

        def found() -> bool:
            row = self("get")
            rows.extend([row] if row is not None else [])
            return bool(rows)

        wait_until(found, 20, "PHP found no message")
        return rows[0]

    def send(self, number: int, delay: int = 0, headers: Mapping[str, str] | None = None) -> None:
        body = json.dumps({"number": number, "text": "von PHP é"})
        self("send", body=body, headers=headers or {"type": TYPE, "X-Trace": "1"}, delay=delay)


@pytest.fixture(params=["sqlite", "postgresql"])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Store, Peer]]:
    """An empty database as ours and as PHP's."""
    if request.param == "sqlite":
        store = sqlite_store(tmp_path)
        peer = Peer({"driver": "pdo_sqlite", "path": str(tmp_path / "messenger.db")})
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        store = postgresql_store(tmp_path, server)
        place = {"host": "127.0.0.1", "port": server.port, "dbname": "messenger"}
        peer = Peer({"driver": "pdo_pgsql", "user": "messenger", "password": POSTGRES_PASSWORD, **place})
    yield store, peer
    store.close()


def test_a_table_made_by_php_is_completed_at_first_use(both: tuple[Store, Peer]) -> None:
    store, php = both
    php("setup")
    php.send(1)
    transport = store.open()
    received = take(transport)
    assert received.message == Order(1, "von PHP é")
    assert received.last(DeliveryStamp) == DeliveryStamp(1)
    assert received.last(ForeignHeadersStamp) == ForeignHeadersStamp({"X-Trace": "1"})
    transport.requeue(received, received.with_stamps(DelayStamp(300)))
    depth = transport.depth()
    assert (depth.ready, depth.in_flight, depth.delayed) == (0, 0, 1)
    transport.ack(take(transport))
    assert transport.depth() == Depth(0, 0, 0)


def test_php_takes_and_acknowledges_what_was_sent_from_here(both: tuple[Store, Peer]) -> None:
    store, php = both
    transport = store.open()
    transport.send(number_envelope(1))
    transport.send(number_envelope(2).with_stamps(DelayStamp(60_000)))
    row = php.take()
    assert json.loads(row["body"]) == {"number": 1, "text": ""}
    assert row["headers"] == {"type": TYPE, "Content-Type": "application/json"}
    assert transport.get(0, never) == [], "PHP has it"
    depth = transport.depth()
    assert (depth.ready, depth.in_flight, depth.delayed) == (0, 1, 1)
    assert php("ack", id=row["id"]) is True
    depth = transport.depth()
    assert (depth.ready, depth.in_flight, depth.delayed) == (0, 0, 1)
    assert php("get") is None


def test_what_is_taken_here_is_not_php_s(both: tuple[Store, Peer]) -> None:
    store, php = both
    transport = store.open()
    php("setup")
    php.send(1)
    php.send(2)
    assert order_number(take(transport)) == 1
    assert json.loads(php.take()["body"])["number"] == 2
    assert php("get") is None


def test_a_delay_from_php_is_kept(both: tuple[Store, Peer]) -> None:
    store, php = both
    transport = store.open()
    php("setup")
    php.send(1, delay=2000)
    php.send(2)
    assert order_number(take(transport)) == 2
    assert transport.depth().delayed == 1
    assert order_number(take(transport)) == 1


def test_php_s_setup_takes_our_columns_away_and_they_come_back(both: tuple[Store, Peer]) -> None:
    store, php = both
    transport = store.open()
    transport.send(number_envelope(1))
    transport.send(number_envelope(2))
    held = take(transport)
    php("setup")
    row = php.take()
    assert json.loads(row["body"])["number"] == 2
    assert "lease_owner" not in row, "PHP makes the table what it thinks it should be"
    transport.ack(held)
    transport.send(number_envelope(3))
    assert order_number(take(transport)) == 3
    assert transport.depth() == Depth(0, 2, 0)


def test_a_message_in_php_s_own_format_is_kept_and_explained(both: tuple[Store, Peer]) -> None:
    store, php = both
    transport = store.open()
    body = 'O:36:\\"Symfony\\\\Component\\\\Messenger\\\\Envelope\\":0:{}'
    php("send", body=body, headers=[], delay=0)
    received = take(transport)
    assert isinstance(received.message, UndecodableMessage)
    assert received.message.body == body
    assert "PHP" in received.message.reason
    transport.requeue(received, received)
    row = php.take()
    assert (row["body"], row["headers"]) == (body, [])
