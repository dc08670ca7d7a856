"""doctrine_transaction: one transaction around all handlers of a message, and what they send with it."""

from __future__ import annotations

import logging

import pytest

from messenger import HandlerDefinitionError, HandlerFailed, MessengerError, TransportError, TransportUnavailable
from messenger.application import Application
from messenger.stamps import HandledStamp
from tests.integration.sql.shop import Shop
from tests.support.servers import free_port

MODULE = """
from dataclasses import dataclass
from sqlalchemy import Connection, text
from sqlalchemy.orm import Session
from messenger import DispatchAfterCurrentBusStamp, HandlerFailed, MessageBus, handler

ran = []

@dataclass
class Order:
    do: str = ""

@dataclass
class Placed:
    do: str = ""

@dataclass
class Nested:
    do: str = ""

@dataclass
class Plain:
    do: str = ""

def insert(connection, name):
    connection.execute(text("INSERT INTO orders VALUES (:name)"), {"name": name})

@handler(priority=1)
def first(message: Order, connection: Connection):
    ran.append("first")
    insert(connection, "first")

@handler
def second(message: Order, connection: Connection, bus: MessageBus):
    ran.append("second")
    insert(connection, "second")
    if message.do == "send":
        bus.dispatch(Placed())
        bus.dispatch(Placed())
    if message.do == "send, fail":
        bus.dispatch(Placed())
        raise ValueError("boom")
    if message.do == "later":
        bus.dispatch(Nested("look"), [DispatchAfterCurrentBusStamp()])
    if message.do.startswith("nested"):
        try:
            bus.dispatch(Nested(message.do))
        except HandlerFailed:
            if "go on" not in message.do:
                raise
    if message.do == "wrong statement, go on":
        try:
            connection.execute(text("INSERT INTO nowhere VALUES (1)"))
        except Exception:
            pass
    if message.do == "savepoint":
        connection.begin_nested()
        insert(connection, "in savepoint")
    if message.do == "session":
        with Session(connection) as session:
            session.execute(text("INSERT INTO orders VALUES ('in session')"))
            session.commit()
        raise ValueError("boom")
    if message.do == "commit":
        connection.commit()
    if message.do == "close":
        connection.close()
    if message.do == "fail":
        raise ValueError("boom")

@handler
def nested(message: Nested, connection: Connection):
    ran.append("nested")
    if message.do == "look":
        ran.append(connection.execute(text("SELECT count(*) FROM orders")).scalar_one())
        return
    insert(connection, "nested")
    if "fail" in message.do:
        raise ValueError("boom")

@handler
def plain(message: Plain, bus: MessageBus):
    bus.dispatch(Placed())
    bus.dispatch(Placed())
    if message.do:
        raise ValueError("boom")
"""
YAML = """
messenger:
  handlers: [MODULE]
  failure_transport: null
  connections: {shop: '%env(DATABASE_URL)%'}
  transports:
    placed: 'doctrine://shop?queue_name=placed'
  routing: {MODULE.Placed: placed}
  buses: {main: {middleware: [{doctrine_transaction: [shop]}]}}
"""


@pytest.fixture
def application(shop: Shop) -> Application:
    """The application, on an empty table of orders."""
    shop.sql("CREATE TABLE orders (name VARCHAR(50))")
    return shop.load(MODULE, YAML)


def orders(shop: Shop) -> list[str]:
    return [row[0] for row in shop.sql("SELECT name FROM orders ORDER BY name")]


def failed(application: Application, message: object) -> HandlerFailed:
    with pytest.raises(HandlerFailed) as caught:
        application.dispatch(message)
    return caught.value


# --- commit and rollback ------------------------------------------------------------------------------------------


def test_what_handlers_wrote_and_sent_is_there_when_all_succeeded(shop: Shop, application: Application) -> None:
    application.dispatch(shop.Order("send"))
    assert orders(shop) == ["first", "second"]
    assert shop.queued() == 2


def test_when_one_fails_nothing_of_it_is_there(shop: Shop, application: Application) -> None:
    application.transport("placed").setup()
    failed(application, shop.Order("send, fail"))
    assert orders(shop) == []
    assert shop.queued() == 0
    application.dispatch(shop.Order("send"))
    assert (orders(shop), shop.queued()) == (["first", "second"], 2)


def test_the_same_while_the_table_of_messages_is_not_made_yet(shop: Shop, application: Application) -> None:
    failed(application, shop.Order("send, fail"))
    assert (orders(shop), shop.queued()) == ([], 0)
    application.dispatch(shop.Order("send"))
    assert (orders(shop), shop.queued()) == (["first", "second"], 2)


def test_all_handlers_run_again_on_a_retry(shop: Shop, application: Application) -> None:
    error = failed(application, shop.Order("fail"))
    assert error.envelope.all(HandledStamp) == []
    assert [type(cause) for cause in error.errors.values()] == [ValueError]
    shop.ran.clear()
    error.envelope.message.do = ""
    application.dispatch(error.envelope)
    assert shop.ran == ["first", "second"]
    assert orders(shop) == ["first", "second"]


def test_who_succeeded_in_an_earlier_try_is_still_skipped(shop: Shop, application: Application) -> None:
    done = HandledStamp(f"{shop.module}.first")
    with pytest.raises(HandlerFailed) as caught:
        application.dispatch(shop.Order("fail"), [done])
    assert caught.value.envelope.all(HandledStamp) == [done]


def test_sends_of_a_handler_that_asks_for_no_connection_join_too(shop: Shop, application: Application) -> None:
    application.transport("placed").setup()
    failed(application, shop.Plain("fail"))
    assert shop.queued() == 0
    application.dispatch(shop.Plain())
    assert shop.queued() == 2


def test_a_message_that_is_only_sent_is_there_when_dispatch_returns(shop: Shop, application: Application) -> None:
    application.dispatch(shop.Placed())
    assert shop.queued() == 1


def test_what_follows_after_the_current_bus_sees_the_commit(shop: Shop, application: Application) -> None:
    application.dispatch(shop.Order("later"))
    assert shop.ran == ["first", "second", "nested", 2]
    assert shop.sql("SELECT count(*) FROM orders") == [(2,)]


def test_a_commit_that_the_database_refuses_is_a_failure_of_the_message(postgres_shop: Shop) -> None:
    shop = postgres_shop
    shop.sql("CREATE TABLE orders (name VARCHAR(50) UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    shop.sql("INSERT INTO orders VALUES ('second')")
    with pytest.raises(TransportError, match=r"^PostgreSQL at .*duplicate key") as caught:
        shop.load(MODULE, YAML).dispatch(shop.Order("send"))
    assert not isinstance(caught.value, TransportUnavailable)
    assert (orders(shop), shop.queued()) == (["second"], 0)


# --- messages handled inside --------------------------------------------------------------------------------------


def test_a_message_handled_inside_belongs_to_the_same_transaction(shop: Shop, application: Application) -> None:
    application.dispatch(shop.Order("nested"))
    assert orders(shop) == ["first", "nested", "second"]


def test_its_failure_undoes_all(shop: Shop, application: Application) -> None:
    failed(application, shop.Order("nested, fail"))
    assert orders(shop) == []


def test_its_failure_cannot_be_passed_over(shop: Shop, application: Application) -> None:
    why = r"was rolled back: a message handled inside it failed, and the handler that dispatched it went on \("
    with pytest.raises(MessengerError, match=why):
        application.dispatch(shop.Order("nested, fail, go on"))
    assert orders(shop) == []
    application.dispatch(shop.Order())
    assert orders(shop) == ["first", "second"]


# --- what handlers do to the connection ---------------------------------------------------------------------------


def test_a_failed_statement_that_a_handler_passes_over(shop: Shop, application: Application) -> None:
    """PostgreSQL answers a commit after it by rolling back, without a word; SQLite keeps the rest."""
    message = shop.Order("wrong statement, go on")
    if shop.server is None:
        application.dispatch(message)
        assert orders(shop) == ["first", "second"]
    else:
        with pytest.raises(MessengerError, match="a statement failed, and its handler went on; let the error out"):
            application.dispatch(message)
        assert orders(shop) == []


def test_a_savepoint_left_open_is_told(shop: Shop, application: Application, caplog: pytest.LogCaptureFixture) -> None:
    application.dispatch(shop.Order("savepoint"))
    assert orders(shop) == ["first", "in savepoint", "second"]
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith(f"transaction_left_open type={shop.module}.Order: ")


def test_a_commit_of_the_handler_is_told(
    shop: Shop, application: Application, caplog: pytest.LogCaptureFixture
) -> None:
    application.dispatch(shop.Order("commit"))
    assert orders(shop) == ["first", "second"]
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        f"transaction_ended_by_handler type={shop.module}.Order"
    ]


def test_nothing_is_told_of_a_usual_handler(
    shop: Shop, application: Application, caplog: pytest.LogCaptureFixture
) -> None:
    application.dispatch(shop.Order("send"))
    assert caplog.records == []


def test_an_orm_session_on_the_connection_commits_nothing_by_itself(shop: Shop, application: Application) -> None:
    failed(application, shop.Order("session"))
    assert orders(shop) == []


def test_a_connection_that_the_handler_closed_is_a_failure(shop: Shop, application: Application) -> None:
    with pytest.raises(MessengerError, match="was rolled back: a handler closed its connection"):
        application.dispatch(shop.Order("close"))
    assert orders(shop) == []


def test_a_handler_interrupted_in_a_statement_leaves_nothing(
    postgres_shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    shop = postgres_shop
    shop.sql("CREATE TABLE orders (name VARCHAR(50))")
    slow = MODULE.replace("@handler\ndef second", "@handler(timeout=0.3)\ndef second").replace(
        'if message.do == "fail":', 'if message.do == "slow":\n        connection.execute(text("SELECT pg_sleep(30)"))'
    )
    application = shop.load(slow, YAML)
    (cause,) = failed(application, shop.Order("slow")).errors.values()
    assert type(cause).__name__ == "HandlerTimedOut"
    assert orders(shop) == []
    assert caplog.records == [], "no connection of the pool is in a state that surprises it"
    application.dispatch(shop.Order())
    assert orders(shop) == ["first", "second"]


# --- the connection -----------------------------------------------------------------------------------------------


def test_nothing_is_connected_until_a_handler_asks(postgres_shop: Shop) -> None:
    shop = postgres_shop
    shop.url = f"postgresql://u:s3cr3t@127.0.0.1:{free_port()}/nowhere"
    application = shop.load(MODULE.replace("bus.dispatch(Placed())", "pass"), YAML)
    application.dispatch(shop.Plain())
    (cause,) = {repr(error) for error in failed(application, shop.Order()).errors.values()}
    assert cause.startswith("TransportUnavailable('PostgreSQL at 127.0.0.1:")
    assert "s3cr3t" not in cause
    assert shop.ran == []


def test_a_connection_that_died_is_noticed_and_opened_again(postgres_shop: Shop) -> None:
    shop = postgres_shop
    shop.sql("CREATE TABLE orders (name VARCHAR(50))")
    application = shop.load(MODULE, YAML)
    application.dispatch(shop.Order())
    assert shop.server is not None
    shop.server.stop()
    (cause,) = {type(error) for error in failed(application, shop.Order()).errors.values()}
    assert cause is TransportUnavailable
    shop.server.start()
    application.dispatch(shop.Order())
    assert orders(shop) == ["first", "first", "second", "second"]
    shop.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'messenger'")
    application.dispatch(shop.Order())
    assert len(orders(shop)) == 6


def test_a_connection_that_dies_under_a_handler_that_goes_on_is_told(postgres_shop: Shop) -> None:
    shop = postgres_shop
    shop.sql("CREATE TABLE orders (name VARCHAR(50))")
    dying = MODULE.replace("INSERT INTO nowhere VALUES (1)", "SELECT pg_terminate_backend(pg_backend_pid())")
    application = shop.load(dying, YAML)
    with pytest.raises(TransportUnavailable):
        application.dispatch(shop.Order("wrong statement, go on"))
    assert orders(shop) == []
    application.dispatch(shop.Order())
    assert orders(shop) == ["first", "second"]


def test_a_bus_without_the_middleware_has_no_connection_to_give(shop: Shop, application: Application) -> None:
    yaml = YAML.replace("buses: {main:", "default_bus: main\n  buses: {other: {}, main:")
    application = shop.load(MODULE, yaml)
    with pytest.raises(HandlerDefinitionError, match="its bus opens no transaction: name doctrine_transaction under"):
        application.buses["other"].dispatch(shop.Order())


def test_two_buses_may_have_the_same_transaction(shop: Shop) -> None:
    shop.sql("CREATE TABLE orders (name VARCHAR(50))")
    both = "{doctrine_transaction: ['%env(DATABASE_URL)%']}"
    yaml = YAML.replace("buses: {main:", f"default_bus: main\n  buses: {{other: {{middleware: [{both}]}}, main:")
    shop.load(MODULE, yaml).buses["other"].dispatch(shop.Order("nested"))  # nested: on the default bus
    assert orders(shop) == ["first", "nested", "second"]
