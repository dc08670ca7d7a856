"""Sizes and durations on the command line, and which messenger.yaml is used."""

from __future__ import annotations

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from messenger import ConfigError
from messenger.cli.common import SizeType, config_path, seconds_text


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1),
        ("500000", 500_000),
        ("1K", 1024),
        ("128M", 128 * 1024**2),
        ("128m", 128 * 1024**2),
        ("128MB", 128 * 1024**2),
        ("128 M", 128 * 1024**2),
        (" 1G ", 1024**3),
        ("1.5g", 3 * 1024**3 // 2),
        ("2T", 2 * 1024**4),
        ("0x10", 16),
        ("0X10k", 16 * 1024),
        ("0.5K", 512),
        (77, 77),
    ],
)
def test_a_size(text: object, size: int) -> None:
    assert SizeType().convert(text, None, None) == size


@pytest.mark.parametrize(
    "text", ["", "M", "-1", "1X", "1.2.3M", "1e3", "0", "0.0001", "0x", "1 2", "lots", "1KM", "²K"]
)
def test_no_size(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"such as 128M|at least 1 byte"):
        SizeType().convert(text, None, None)


@given(st.text(max_size=12))
def test_no_text_is_more_than_a_bad_parameter(text: str) -> None:
    try:
        assert SizeType().convert(text, None, None) >= 1
    except click.BadParameter:
        return


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0.0, "0.0 s"),
        (0.44, "0.4 s"),
        (9.94, "9.9 s"),
        (12.3, "12 s"),
        (119, "119 s"),
        (180, "3 min"),
        (7199, "120 min"),
        (7200, "2 h"),
        (10**6, "278 h"),
    ],
)
def test_a_duration_for_people(seconds: float | None, text: str) -> None:
    assert seconds_text(seconds) == text


def test_the_file_that_is_named_is_used_even_when_it_is_not_there() -> None:
    assert str(config_path("/nowhere/messenger.yaml")) == "/nowhere/messenger.yaml"


def test_the_file_is_found_here_or_in_symfonys_place(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=rf"no messenger.yaml in {tmp_path}: .*--config FILE"):
        config_path(None)
    (tmp_path / "config/packages").mkdir(parents=True)
    (tmp_path / "config/packages/messenger.yaml").touch()
    assert str(config_path(None)) == "config/packages/messenger.yaml"
    (tmp_path / "messenger.yaml").touch()
    assert str(config_path(None)) == "messenger.yaml"
