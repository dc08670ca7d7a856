"""SqlConnectionStamp: a message is stored within the application's own transaction."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.orm import Session

from messenger import SqlConnectionStamp, TransportError
from messenger.application import Application
from tests.integration.sql.shop import Shop

MODULE = """
from dataclasses import dataclass
from messenger import handler

@dataclass
class Placed:
    number: int = 0

@handler
def on_placed(message: Placed): ...
"""
YAML = """
messenger:
  handlers: [MODULE]
  failure_transport: null
  connections: {shop: '%env(DATABASE_URL)%'}
  transports:
    placed: 'doctrine://shop?queue_name=placed'
    elsewhere: '%env(REDIS)%'
  routing: {MODULE.Placed: placed}
"""


@pytest.fixture
def application(shop: Shop) -> Application:
    """The application, on an empty table of orders."""
    shop.sql("CREATE TABLE orders (number INTEGER)")
    return shop.load(MODULE, YAML, REDIS="redis://127.0.0.1:1/never")


@pytest.fixture
def engine(shop: Shop) -> Iterator[Engine]:
    """The application's own, made as its author would."""
    made = create_engine(shop.url.replace("postgresql://", "postgresql+psycopg://"))
    yield made
    made.dispose()


def place(application: Application, shop: Shop, connection: Connection, number: int) -> None:
    connection.execute(text("INSERT INTO orders VALUES (:number)"), {"number": number})
    application.dispatch(shop.Placed(number), [SqlConnectionStamp(connection)])


def counts(shop: Shop) -> tuple[int, int]:
    return shop.sql("SELECT count(*) FROM orders")[0][0], shop.queued()


def test_it_is_there_once_the_transaction_is_committed(shop: Shop, application: Application, engine: Engine) -> None:
    application.transport("placed").setup()
    with engine.begin() as connection:
        place(application, shop, connection, 1)
        assert counts(shop) == (0, 0)
    assert counts(shop) == (1, 1)
    (received,) = application.transport("placed").get(0, lambda: False)
    assert received.message == shop.Placed(1)
    assert received.last(SqlConnectionStamp) is None


def test_it_never_is_after_a_rollback(shop: Shop, application: Application, engine: Engine) -> None:
    with engine.connect() as connection:
        place(application, shop, connection, 1)
        connection.rollback()
        place(application, shop, connection, 2)
        connection.commit()
    assert shop.sql("SELECT number FROM orders") == [(2,)]
    assert shop.queued() == 1


def test_a_transport_that_cannot_is_refused_and_nothing_is_sent(
    shop: Shop, application: Application, engine: Engine
) -> None:
    yaml = YAML.replace("MODULE.Placed: placed", "MODULE.Placed: [placed, elsewhere]")
    application = shop.load(MODULE, yaml, REDIS="redis://127.0.0.1:1/never")
    why = r"'elsewhere' cannot store .* give it an outbox \(transports\.elsewhere\.outbox in messenger\.yaml\)"
    with engine.begin() as connection, pytest.raises(TransportError, match=why):
        place(application, shop, connection, 1)
    assert counts(shop) == (1, 0)


def test_another_kind_of_database_is_refused(shop: Shop, application: Application, tmp_path: Path) -> None:
    other = create_engine(f"sqlite:///{tmp_path}/other.db")
    with other.begin() as connection, pytest.raises(TransportError) as caught:
        application.dispatch(shop.Placed(), [SqlConnectionStamp(connection)])
    other.dispose()
    here = "a sqlite database" if shop.server is not None else f"the SQLite file {tmp_path}/other.db"
    assert str(caught.value).endswith(f"the connection of a SqlConnectionStamp is to {here}; nothing was sent")
    assert shop.queued() == 0


def test_a_session_is_refused_and_its_connection_is_taken(shop: Shop, application: Application, engine: Engine) -> None:
    with Session(engine) as session:
        with pytest.raises(
            TransportError, match=r"holds a sqlalchemy\.orm\.session\.Session; allowed: .*connection\(\)"
        ):
            application.dispatch(shop.Placed(), [SqlConnectionStamp(session)])  # type: ignore[arg-type]
        application.dispatch(shop.Placed(), [SqlConnectionStamp(session.connection())])
        assert shop.queued() == 0
        session.commit()
    assert shop.queued() == 1


def test_a_database_without_the_table_is_named(postgres_shop: Shop) -> None:
    shop = postgres_shop
    application = shop.load(MODULE, YAML, REDIS="redis://127.0.0.1:1/never")
    other = create_engine(
        shop.url.replace("postgresql://", "postgresql+psycopg://").removesuffix("messenger") + "postgres"
    )
    with other.begin() as connection, pytest.raises(TransportError, match="'placed' was given a connection to a data"):
        application.dispatch(shop.Placed(), [SqlConnectionStamp(connection)])
    other.dispose()
    assert shop.queued() == 0


def test_without_auto_setup_the_remedy_is_named(shop: Shop, application: Application, engine: Engine) -> None:
    yaml = YAML.replace("queue_name=placed", "queue_name=placed&auto_setup=false")
    application = shop.load(MODULE, yaml, REDIS="redis://127.0.0.1:1/never")
    with engine.begin() as connection, pytest.raises(TransportError, match="`messenger setup-transports` creates the"):
        application.dispatch(shop.Placed(), [SqlConnectionStamp(connection)])
