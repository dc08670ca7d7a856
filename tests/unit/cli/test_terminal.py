"""Text for a terminal."""

from __future__ import annotations

import io
import sys

import pytest

from messenger.cli.common import print_json, print_table
from messenger.cli.terminal import Progress, is_asked, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 😀", "plain é 😀"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\u202eright to left", "\\u202eright to left"),
        ("half \udc80", "half \\udc80"),
        (7, "7"),
    ],
)
def test_control_characters_are_escaped(text: object, shown: str) -> None:
    assert printable(text) == shown


def test_a_table_stays_a_table_whatever_is_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("A", "B"), [("1\n2", "x"), ("long one", "y")])
    assert capsys.readouterr().out == "A         B\n1\\n2      x\nlong one  y\n"


def test_json_is_json_even_with_half_a_character(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    print_json({"é": "\udc80"})
    assert capsysbinary.readouterr().out == '{\n  "é": "\\udc80"\n}\n'.encode()


def test_nobody_is_asked_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for stdin in (None, io.StringIO("yes\n")):
        monkeypatch.setattr(sys, "stdin", stdin)
        assert not is_asked()


def test_no_bar_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(2, "Working") as progress:
        progress.step()
        progress.line("one\x1b")
        progress.line("two", err=True)
        progress.step()
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("one\\x1b\n", "two\n")
