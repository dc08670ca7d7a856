"""Text from outside on a line of a log or a terminal."""

from __future__ import annotations

import logging
import sys

import pytest

from messenger.printable import LONGEST_LINE, LineFormatter, printable, printable_line, text_of

FORGED = "2026-01-01T00:00:00+0000 INFO forged"


class Mute(Exception):
    """Raises when it is asked for its text."""

    def __str__(self) -> str:
        raise KeyError("mute")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 😀", "plain é 😀"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x1b]0;title\x07\x9b31m\x7f\x00", "\\x1b]0;title\\x07\\x9b31m\\x7f\\x00"),
        ("\u202eright to left\u2066\u200f", "\\u202eright to left\\u2066\\u200f"),
        ("\u2028\u2029\x85\x0b", "\\u2028\\u2029\\x85\\x0b"),
        ("half \udc80", "half \\udc80"),
        ("tag \U000e0041", "tag \\U000e0041"),
        (7, "7"),
        (Mute(), "<Mute without a text: KeyError>"),
    ],
)
def test_what_could_steer_a_terminal_is_escaped(text: object, shown: str) -> None:
    assert printable(text) == shown
    assert printable(text).isprintable()


@pytest.mark.parametrize("make", [printable, printable_line])
def test_it_is_no_longer_than_the_limit(make: object) -> None:
    assert callable(make)
    assert make("abc", 3) == "abc"
    assert make("abcd", 3) == "ab…"
    assert len(make("\x1b" * 1_000_000, 100)) == 100
    assert len(make("x " * 1_000_000, 100)) == 100
    assert make("\x1b", 3) == "\\x…"


def test_white_space_becomes_a_space_in_a_line() -> None:
    assert printable_line(" a\n\n b\u2028c\x1b ") == "a b c\\x1b"


def record(message: str, *arguments: object, error: BaseException | None = None) -> logging.LogRecord:
    trace = (type(error), error, error.__traceback__) if error is not None else None
    return logging.LogRecord("test", logging.ERROR, __file__, 1, message, arguments, trace)


def test_a_record_is_one_line() -> None:
    (line,) = LineFormatter().format(record("type=%s", f"a\r\n{FORGED}\x1b[2J")).splitlines()
    assert line.endswith(f" ERROR type=a\\r\\n{FORGED}\\x1b[2J")
    (line,) = LineFormatter().format(record("%s", "x" * 1_000_000)).splitlines()
    assert len(line) < LONGEST_LINE + 100


def test_no_line_of_a_traceback_looks_like_a_record() -> None:
    try:
        try:
            raise ValueError(f"one\n{FORGED}\x85{FORGED}\x9b2J" + "x" * 1_000_000)
        except ValueError as error:
            error.add_note(f"note\n{FORGED}\x1b[2J")
            raise ExceptionGroup(f"group\u2028{FORGED}", [error, Mute()]) from error
    except ExceptionGroup as group:
        text = LineFormatter().format(record("failed", error=group))
    first, *others = text.split("\n")
    assert first.endswith(" ERROR failed")
    assert len(others) == len("\n".join(others).splitlines())
    assert all(line.startswith("  ") and line.isprintable() and len(line) <= 1_002 for line in others)
    assert any("test_printable.py" in line for line in others)


def test_the_text_of_an_exception_is_one_line_in_its_traceback() -> None:
    try:
        try:
            raise ValueError(f"one\n{FORGED}")
        except ValueError as error:
            raise KeyError(f"two: one\n{FORGED}") from error
    except KeyError as error:
        lines = LineFormatter().format(record("failed", error=error)).splitlines()
    assert f"  ValueError: one\\n{FORGED}" in lines
    assert not [line for line in lines if line.strip().startswith(FORGED)]


def test_a_long_traceback_has_its_beginning_and_its_end() -> None:
    error = ValueError("many")
    error.add_note("\n".join(map(str, range(1_000_000))))
    lines = LineFormatter().format(record("failed", error=error)).splitlines()
    assert len(lines) == 202
    assert lines[-1] == "  999999"


def test_a_cached_traceback_of_another_handler_is_not_taken_over() -> None:
    found = record("failed", error=ValueError(f"a\n{FORGED}"))
    logging.Formatter().format(found)
    assert FORGED not in LineFormatter().format(found).splitlines()


def test_text_of_never_raises() -> None:
    assert text_of(Mute()) == "<Mute without a text: KeyError>"
    assert sys.maxsize


def test_a_text_with_half_a_character_stays_one_line_of_its_traceback() -> None:
    error = ValueError("caf\udce9\n2026-01-01 forged")
    record = logging.LogRecord("messenger", logging.ERROR, "", 0, "failed", (), (ValueError, error, None))
    assert LineFormatter().format(record).splitlines()[1:] == [r"  ValueError: caf\udce9\n2026-01-01 forged"]
