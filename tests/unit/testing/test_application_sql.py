"""messenger.testing and handlers that ask for a SQL connection."""

from __future__ import annotations

from sqlalchemy import Connection, create_engine

from messenger import SqlConnectionStamp
from messenger.testing import InMemoryApplication
from tests.support.application_project import MODULE, Project

STORES = (
    MODULE
    + """
from sqlalchemy import Connection

@handler
def stores(message: OnlySent, connection: Connection):
    ran.append(connection)
"""
)
YAML = """
  connections: {orders: 'postgresql://127.0.0.1:1/none'}
  buses: {main: {middleware: [{doctrine_transaction: [orders]}]}}
"""


def test_there_is_no_outbox_and_no_transaction_to_join(project: Project) -> None:
    routed = "  routing: {MODULE.Mail: async}\n  connections: {orders: 'postgresql://127.0.0.1:1/none'}\n"
    project.load(
        routed, transports="async: {dsn: 'redis://127.0.0.1:1', outbox: out}, out: 'doctrine://orders'"
    ).close()
    messenger = InMemoryApplication.load(project.directory / "messenger.yaml", {})
    with create_engine("sqlite://").connect() as connection:
        messenger.application.dispatch(project.Mail("hi"), [SqlConnectionStamp(connection)])
    messenger.transport("async").assert_sent(project.Mail, times=1)
    messenger.transport("out").assert_empty()
    messenger.process()
    messenger.close()
    assert project.ran == [("mail", "hi")]


def test_there_is_no_transaction_and_the_test_gives_the_connection(project: Project) -> None:
    project.load(YAML, module=STORES).close()
    messenger = InMemoryApplication.load(project.directory / "messenger.yaml", {})
    with create_engine("sqlite://").connect() as connection:
        messenger.application.provide(connection, Connection)
        messenger.application.dispatch(project.OnlySent("hi"))
    messenger.close()
    assert project.ran == [connection]
