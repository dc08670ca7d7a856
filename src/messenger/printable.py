"""Escaping of text from outside before it is written to a log or a terminal.

Such text is what another program may have written: types, bus names, exceptions, the registry of workers, arguments of
a command. Control characters, line and paragraph separators, direction overrides and lone surrogates are shown as
escapes, so that no text can begin a new line or control a terminal.
"""

from __future__ import annotations

import logging
import traceback

LONGEST_LINE = 8_000  # characters of a line of a log
SHORT = 500  # characters of a text within a line
_LONGEST_TRACE_LINE = 1_000
_TRACE_LINES = 100  # at the beginning of a traceback, and at its end


def text_of(value: object) -> str:
    """Return `str(value)`, with lone surrogates escaped; also for an object whose `__str__` raises."""
    try:
        return str(value).encode("utf-8", "backslashreplace").decode()
    except BaseException as error:
        return f"<{type(value).__name__} without a text: {type(error).__name__}>"


def printable(value: object, limit: int | None = None) -> str:
    """Return a value as printable text on one line.

    Args:
        value: The value.
        limit: The largest number of characters to show; None shows all.
    """
    text = text_of(value)
    cut = limit is not None and len(text) > limit
    line = text[:limit]
    if not line.isprintable():
        line = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in line)
        cut = cut or (limit is not None and len(line) > limit)
    return f"{line[: (limit or 1) - 1]}…" if cut else line


def printable_line(value: object, limit: int | None = None) -> str:
    """Return a value of several lines as one printable line: each run of white space becomes a space.

    Args:
        value: The value.
        limit: The largest number of characters to show; None shows all.
    """
    text = text_of(value)
    return printable(" ".join((text if limit is None else text[: 2 * limit]).split()), limit)


class LineFormatter(logging.Formatter):
    """Formats a log record as one line; the lines of its traceback follow it, indented.

    A line that begins with a time is therefore always a record, whatever its message and exceptions contain.
    """

    def __init__(self, before: str = "") -> None:
        """Create the formatter.

        Args:
            before: Text before each record, such as the control sequence that clears a progress bar.
        """
        super().__init__(datefmt="%Y-%m-%dT%H:%M:%S%z")
        self._before = before

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of a record, without a line feed at the end."""
        text = printable(record.getMessage(), LONGEST_LINE)
        lines = [f"{self._before}{self.formatTime(record, self.datefmt)} {record.levelname} {text}"]
        if record.exc_info:
            lines += trace_lines(_traceback(record.exc_info[1]))
        if record.stack_info:
            lines += trace_lines(record.stack_info)
        return "\n".join(lines)


def _traceback(error: BaseException | None) -> str:
    """Format an exception and its causes, the text of each on one line."""
    text = text_of("".join(traceback.format_exception(error)))
    pending, seen = [error], set[int]()
    while pending and len(seen) < _TRACE_LINES:
        each = pending.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            pending += (each.__cause__, each.__context__)
            own = text_of(each)
            text = text.replace(own, printable(own)) if not own.isprintable() else text
    return text


def trace_lines(text: str) -> list[str]:
    """Return the lines of a traceback, printable and indented; a long one is cut in the middle."""
    lines = text.splitlines()
    if len(lines) > 2 * _TRACE_LINES:
        left_out = f"… {len(lines) - 2 * _TRACE_LINES} lines are left out …"
        lines = [*lines[:_TRACE_LINES], left_out, *lines[-_TRACE_LINES:]]
    return [f"  {printable(line, _LONGEST_TRACE_LINE)}" for line in lines]
