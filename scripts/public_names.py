#!/usr/bin/env python3
"""docs/public-names.md, made from the names of the package and their docstrings.

scripts/public_names.py            say whether it is up to date
scripts/public_names.py --write    write it
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

import generated

import messenger
from messenger import MessengerError, Stamp

PAGE = Path(__file__).resolve().parents[1] / "docs" / "public-names.md"
INTRODUCTION = """\
# Public names

What `from messenger import …` offers; `python -m pydoc messenger.NAME` prints the whole docstring. Applications need no
other name, but for their tests ([`messenger.testing`](testing.md)) and where they replace a part: a transport is a
`messenger.transports.base.Transport`, a retry strategy `messenger.failure.retry.RetryStrategy`.

Made by `scripts/public_names.py --write`.
"""


def kind(name: str) -> str:
    """The heading that a name stands under."""
    thing = getattr(messenger, name)
    if not inspect.isclass(thing):
        return "Functions"
    if issubclass(thing, MessengerError):
        return "Errors"
    if issubclass(thing, Stamp):
        return "Stamps"
    return "Events of a worker" if thing.__module__ == "messenger.events" else "Classes"


def row(name: str) -> str:
    """A name and the first line of its docstring."""
    thing = getattr(messenger, name)
    says = (inspect.getdoc(thing) or "").split("\n")[0].replace("``", "`").replace("|", "\\|")
    return f"| `{name}` | {says} |"


def page() -> str:
    """The text of the page."""
    parts = [INTRODUCTION]
    for heading in ("Functions", "Classes", "Stamps", "Events of a worker", "Errors"):
        rows = [row(name) for name in messenger.__all__ if kind(name) == heading]
        parts.append("\n".join([f"## {heading}\n", "| name | what it is |", "| --- | --- |", *rows, ""]))
    return "\n".join(parts)


if __name__ == "__main__":
    sys.exit(generated.main("scripts/public_names.py", __doc__, lambda: {PAGE: page()}))
