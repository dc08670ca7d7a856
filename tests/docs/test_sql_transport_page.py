"""docs/sql-transport.md: its example of a transaction around the handlers."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from tests.docs.conftest import Guide

SEND = """
from messenger import Application
from shop.messages import PlaceOrder

application = Application.load("messenger.yaml")
application.dispatch(PlaceOrder(1))
application.dispatch(PlaceOrder(2, "stolen"))
application.close()
"""


def test_a_handler_that_fails_leaves_neither_an_order_nor_a_receipt(guide: Callable[[str], Guide]) -> None:
    project = guide("docs/sql-transport.md")
    project.python("-c", SEND)
    assert "the card was refused" in project.messenger("consume", "orders", "--limit", "2")
    log = project.messenger("consume", "mails", "--limit", "1")
    assert log.count("receipt of order") == log.count("receipt of order 1") == 1
    with sqlite3.connect(project.directory / "var/messenger.db") as connection:
        assert connection.execute("SELECT number FROM orders").fetchall() == [(1,)]
        assert connection.execute("SELECT queue_name FROM messenger_messages").fetchall() == [("failed",)]
