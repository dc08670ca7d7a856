"""Text for a terminal."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path

import pytest

import messenger.cli
from messenger.cli.common import print_json, print_table
from messenger.cli.terminal import Progress, is_asked, say

CLI = Path(messenger.cli.__file__).parent
# A usage line, JSON and a shell's script have a form of their own, and no text from outside.
OTHERS = {"__init__.py": 1, "common.py": 1, "completion.py": 1, "terminal.py": 2}


def test_every_command_prints_through_the_one_place() -> None:
    counts = {str(path.relative_to(CLI)): path.read_text().count("click.echo(") for path in CLI.rglob("*.py")}
    assert {name: count for name, count in counts.items() if count} == OTHERS
    directly = re.compile(r"\bprint\(|secho|sys\.std(out|err)\.write")
    directly = re.compile(r"\bprint\(|secho|sys\.std(out|err)\.write")
    assert not [path for path in CLI.rglob("*.py") if directly.search(path.read_text())]


def test_what_is_said_is_one_line_of_a_bounded_length(capsys: pytest.CaptureFixture[str]) -> None:
    say("a\nb\x1b[31m\u2028\x85" + "x" * 100_000)
    out = capsys.readouterr().out
    assert out.startswith("a\\nb\\x1b[31m\\u2028\\x85xxx")
    assert out.endswith("…\n")
    assert out.count("\n") == 1
    assert len(out) <= 8_001


def test_a_table_stays_a_table_whatever_is_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("A", "B"), [("1\n2", "x"), ("long one", "y")])
    assert capsys.readouterr().out == "A         B\n1\\n2      x\nlong one  y\n"


def test_json_is_json_even_with_half_a_character(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    print_json({"é": "\udc80"})
    assert capsysbinary.readouterr().out == '{\n  "é": "\\udc80"\n}\n'.encode()


def test_json_steers_no_terminal_and_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    document = {"a\x9b2J": ["\u2028\u202e\x7f\x1b\n", "é😀", "\U000e0041"]}
    print_json(document)
    out = capsys.readouterr().out
    assert all(line.isprintable() for line in out.split("\n"))
    assert "é😀" in out
    assert json.loads(out) == document


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
