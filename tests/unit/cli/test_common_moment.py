"""--since and --until."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from messenger.cli.common import MomentType


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("1.5 h", timedelta(minutes=90)),
        (" 7d ", timedelta(days=7)),
    ],
)
def test_how_long_ago(text: str, ago: timedelta) -> None:
    before = datetime.now().astimezone()
    moment = MomentType().convert(text, None, None)
    assert before <= moment + ago <= datetime.now().astimezone()


def test_a_time_with_its_offset() -> None:
    moment = MomentType().convert("2026-11-24T08:00:05+02:00", None, None)
    assert moment == datetime(2026, 11, 24, 8, 0, 5, tzinfo=timezone(timedelta(hours=2)))


@pytest.mark.parametrize("text", ["2026-11-24", "2026-11-24T00:00", "2026-11-24 00:00:00"])
def test_without_an_offset_it_is_in_this_machines_zone(text: str) -> None:
    moment = MomentType().convert(text, None, None)
    assert moment == datetime(2026, 11, 24).astimezone()
    assert moment.tzinfo is not None


@given(st.text(max_size=12) | st.sampled_from(["", "2 weeks", "-1h", "1e400d", "99999999999d", "0001-01-01", "24:00"]))
def test_no_text_is_more_than_a_bad_parameter(text: str) -> None:
    try:
        found = MomentType().convert(text, None, None)
    except click.BadParameter as error:
        complaint = str(error)
    else:
        complaint = "" if found.tzinfo is not None else "it has no time zone"
    assert complaint == "" or "is no moment; allowed: how long ago" in complaint
