"""docs/outbox.md: its application, from the order to the receipt."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from tests.docs.conftest import Guide

PROGRAM = """
from shop.orders import place_order

place_order(1)
try:
    place_order(2000)
except ValueError as error:
    print(error)
"""


def test_an_order_and_its_receipt_exist_together_or_not_at_all(guide: Callable[[str], Guide]) -> None:
    project = guide("docs/outbox.md")
    database = project.directory / "shop.db"
    project.environment["DATABASE_URL"] = f"sqlite:///{database}"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE orders (number INTEGER)")
    assert project.python("-c", PROGRAM) == "no such article\n"
    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT number FROM orders").fetchall() == [(1,)]
        assert connection.execute("SELECT queue_name FROM messenger_messages").fetchall() == [("outbox",)]
    assert project.waiting() == 0
    project.messenger("consume", "outbox", "--limit", "1")
    assert project.waiting() == 1
    assert "receipt of order 1\n" in project.messenger("consume", "async", "--limit", "1")
