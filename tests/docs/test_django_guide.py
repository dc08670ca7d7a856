"""docs/guides/django.md: a real Django on SQLite; what is committed is sent, what is rolled back is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.docs.conftest import Guide

SET_UP = """
import django
from django.core.management import call_command
from django.db import connection

django.setup()
from shop.models import Order

with connection.schema_editor() as editor:
    editor.create_model(Order)
"""
PLACE_AN_ORDER = """
import sys
import django

django.setup()
from django.test import Client
from shop.models import Order

client = Client(raise_request_exception=False)
print(client.post("/orders/", {"email": "ada@example.com", "card": sys.argv[1]}).status_code, Order.objects.count())
"""
SENT_RECEIPTS = """
import django

django.setup()
from shop.models import Order

print(list(Order.objects.values_list("id", "receipt_sent")))
"""


@pytest.fixture
def shop(guide: Callable[[str], Guide]) -> Guide:
    """The page's project with its table, as its web server runs it."""
    project = guide("docs/guides/django.md")
    project.environment["DJANGO_SETTINGS_MODULE"] = "shop.settings"
    project.python("-c", SET_UP)
    return project


def test_what_is_committed_is_sent_and_handled(shop: Guide) -> None:
    assert shop.python("-c", PLACE_AN_ORDER, "good") == "202 1\n"
    assert shop.waiting() == 1
    del shop.environment["DJANGO_SETTINGS_MODULE"]  # the worker finds its settings by itself
    assert "receipt of order 1 sent to ada@example.com" in shop.messenger("consume", "async", "--limit", "1")
    shop.environment["DJANGO_SETTINGS_MODULE"] = "shop.settings"
    assert shop.python("-c", SENT_RECEIPTS) == "[(1, True)]\n"
    assert shop.waiting() == 0


def test_what_is_rolled_back_is_not_sent(shop: Guide) -> None:
    assert shop.python("-c", PLACE_AN_ORDER, "stolen") == "500 0\n"
    assert shop.waiting() == 0


def test_a_message_that_comes_twice_sends_one_receipt(shop: Guide) -> None:
    shop.python("-c", PLACE_AN_ORDER, "good")
    shop.messenger("dispatch", "SendReceipt", '{"order_id": 1}')
    assert shop.messenger("consume", "async", "--limit", "2").count("receipt of order 1 sent") == 1
