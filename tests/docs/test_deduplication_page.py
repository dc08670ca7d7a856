"""docs/deduplication.md: its example, on a real Redis and in memory."""

from __future__ import annotations

from collections.abc import Callable

from tests.docs.conftest import Guide

PROGRAM = """
from messenger import Application
from shop.reports import order_report

application = Application.load("messenger.yaml")
print(*(order_report(application, customer) for customer in (7, 7, 8)), sep=", ")
"""


def test_of_two_orders_one_report_is_made(guide: Callable[[str], Guide]) -> None:
    project = guide("docs/deduplication.md")
    assert project.python("-c", PROGRAM) == "ordered, it is being made, ordered\n"
    assert project.waiting() == 2
    log = project.messenger("consume", "async", "--limit", "2")
    assert log.count("made the report of customer") == 2
    assert project.python("-c", PROGRAM) == "ordered, it is being made, ordered\n"
    with project.server.client() as client:
        keys = sorted(client.scan_iter("shop:deduplicate:*"))
    assert keys == [b"shop:deduplicate:report of 7", b"shop:deduplicate:report of 8"]


def test_its_test_passes(guide: Callable[[str], Guide]) -> None:
    assert "1 passed" in guide("docs/deduplication.md").pytest()
