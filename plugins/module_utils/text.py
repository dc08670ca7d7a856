"""The one place of the kit that makes text from outside fit for a terminal.

Outside is what the application's user may have written: log lines, file names, what its commands print. Control
characters, separators and overrides of the writing direction are shown as escapes; long text is cut.
"""

from __future__ import annotations

LONGEST = 1000  # characters of a line
MOST_LINES = 2000


def printable(text: object, longest: int = LONGEST) -> str:
    """TEXT on one line, with at most LONGEST characters."""
    line = str(text)[: longest + 1]
    shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in line)
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"


def last_line(text: object, longest: int = LONGEST) -> str:
    """The last line of TEXT that is not blank: what a command says last of an error."""
    lines = [line for line in str(text).splitlines() if line.strip()]
    return printable(lines[-1].strip(), longest) if lines else ""


def printable_block(text: object, longest: int = LONGEST) -> str:
    """TEXT with its lines, each made printable."""
    lines = str(text).split("\n")
    rest = [f"… {len(lines) - MOST_LINES} more lines"] if len(lines) > MOST_LINES else []
    return "\n".join([*(printable(line, longest) for line in lines[:MOST_LINES]), *rest])
