"""Clocks that differ: with clocks of the test's own, for a real one would have to be set."""

from __future__ import annotations

import itertools

import pytest

from messenger.checks.clock import check_clock


@pytest.mark.parametrize(
    ("theirs", "level", "found"),
    [
        (1000.0, "ok", "its clock agrees with this host's"),
        (1001.9, "ok", "its clock agrees with this host's"),
        (998.1, "ok", "its clock agrees with this host's"),
        (1065.0, "warn", "its clock is 65 s ahead of this host's"),
        (700.0, "warn", "its clock is 300 s behind this host's"),
    ],
)
def test_a_difference(theirs: float, level: str, found: str) -> None:
    finding = check_clock("there", lambda: theirs, lambda: 1000.0)
    assert (finding.check, finding.where, finding.level, finding.found) == ("clock", "there", level, found)
    assert (finding.change is None) == (level == "ok")
    assert "timedatectl" in str(finding.change) or level == "ok"


@pytest.mark.parametrize(
    ("theirs", "level"), [(1000.0, "ok"), (1008.0, "ok"), (1011.5, "ok"), (1013.0, "warn"), (997.0, "warn")]
)
def test_a_slow_answer_is_no_difference(theirs: float, level: str) -> None:
    """The question left at 1000 and the answer came at 1010."""
    moments = itertools.cycle((1000.0, 1010.0))
    assert check_clock("there", lambda: theirs, lambda: next(moments)).level == level
