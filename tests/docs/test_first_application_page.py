"""docs/first-application.md: its application handles one message and keeps the other one that fails."""

from __future__ import annotations

from collections.abc import Callable

from tests.docs.conftest import Guide


def test_one_is_handled_and_one_fails(guide: Callable[[str], Guide]) -> None:
    project = guide("docs/first-application.md")
    project.python("order.py")
    assert "receipt of order 7" in project.messenger("consume", "async", "--limit", "3")
    assert "there is no such order" in project.messenger("failed", "show")
