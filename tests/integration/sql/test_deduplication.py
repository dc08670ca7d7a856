"""A deduplicated message that is stored within a transaction has its lock only if that is committed."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine, create_engine

from messenger import DeduplicateStamp, DuplicateOfStamp, HandlerFailed, SqlConnectionStamp, TransportError
from messenger.application import Application
from messenger.envelope import AnyEnvelope
from tests.integration.sql.shop import Shop
from tests.support.servers import RedisServer

MODULE = """
from dataclasses import dataclass
from sqlalchemy import Connection, text
from messenger import DeduplicateStamp, MessageBus, handler

@dataclass
class Order:
    do: str = ""

@dataclass
class Placed:
    number: int = 0

@handler
def on_order(message: Order, connection: Connection, bus: MessageBus):
    bus.dispatch(Placed(), [DeduplicateStamp("k")])
    if message.do == "fail":
        raise ValueError("boom")
    if message.do == "break":
        connection.execute(text("INSERT INTO children VALUES (1)"))

@handler
def on_placed(message: Placed): ...
"""
YAML = """
messenger:
  handlers: [MODULE]
  failure_transport: null
  control: '%env(REDIS)%'
  connections: {shop: '%env(DATABASE_URL)%'}
  default_bus: outside
  buses:
    outside: {}
    orders: {middleware: [{doctrine_transaction: [shop]}]}
  transports:
    placed: 'doctrine://shop?queue_name=placed'
    relayed: {dsn: '%env(REDIS)%', outbox: outbox}
    outbox: 'doctrine://shop?queue_name=outbox'
  routing: {MODULE.Placed: placed}
"""
KEY = DeduplicateStamp("k")


@pytest.fixture(params=["placed", "relayed"])
def application(request: pytest.FixtureRequest, shop: Shop, redis_server: RedisServer) -> Application:
    """The application, its messages in a SQL transport or in an outbox."""
    return shop.load(MODULE, YAML.replace("Placed: placed", f"Placed: {request.param}"), REDIS=redis_server.url())


@pytest.fixture
def engine(shop: Shop) -> Iterator[Engine]:
    """The application's own, made as its author would."""
    made = create_engine(shop.url.replace("postgresql://", "postgresql+psycopg://"))
    yield made
    made.dispose()


def is_free(server: RedisServer) -> bool:
    with server.client() as client:
        return not client.exists("messenger:deduplicate:k")


def dispatch(application: Application, shop: Shop, connection: Connection) -> AnyEnvelope:
    return application.dispatch(shop.Placed(), [KEY, SqlConnectionStamp(connection)])


def test_what_handlers_send_is_free_again_when_one_fails(
    application: Application, shop: Shop, redis_server: RedisServer
) -> None:
    with pytest.raises(HandlerFailed):
        application.buses["orders"].dispatch(shop.Order("fail"))
    assert is_free(redis_server)
    assert shop.queued() == 0
    application.buses["orders"].dispatch(shop.Order())
    assert not is_free(redis_server)
    assert shop.queued() == 1


def test_a_commit_that_fails_frees_it(postgres_shop: Shop, redis_server: RedisServer) -> None:
    postgres_shop.sql("CREATE TABLE parents (id INTEGER PRIMARY KEY)")
    postgres_shop.sql("CREATE TABLE children (parent INTEGER REFERENCES parents DEFERRABLE INITIALLY DEFERRED)")
    application = postgres_shop.load(MODULE, YAML, REDIS=redis_server.url())
    with pytest.raises(TransportError, match="parents"):
        application.buses["orders"].dispatch(postgres_shop.Order("break"))
    assert is_free(redis_server)
    assert postgres_shop.queued() == 0


def test_a_transaction_of_ones_own_frees_it_with_its_rollback(
    application: Application, shop: Shop, engine: Engine, redis_server: RedisServer
) -> None:
    with engine.connect() as connection:
        transaction = connection.begin()
        dispatch(application, shop, connection)
        assert not is_free(redis_server)
        transaction.rollback()
        assert is_free(redis_server)
    with engine.connect() as connection:
        dispatch(application, shop, connection)  # closed without a commit
    assert is_free(redis_server)
    with engine.begin() as connection:
        dispatch(application, shop, connection)
        assert dispatch(application, shop, connection).last(DuplicateOfStamp) is not None
    assert not is_free(redis_server)
    assert shop.queued() == 1


def test_a_later_rollback_on_the_same_connection_frees_nothing(
    application: Application, shop: Shop, engine: Engine, redis_server: RedisServer
) -> None:
    with engine.connect() as connection:
        with connection.begin():
            dispatch(application, shop, connection)
        later = connection.begin()
        later.rollback()
        assert not is_free(redis_server)
    assert shop.queued() == 1


def test_a_connection_is_not_held(application: Application, shop: Shop, engine: Engine) -> None:
    with engine.begin() as connection:
        dispatch(application, shop, connection)
    held = weakref.ref(connection)
    del connection
    gc.collect()
    assert held() is None
