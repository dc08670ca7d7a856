"""The code blocks of a documentation page. What a page shows is what its tests run.

A line `# shop/messages.py`, or `# shop/messages.py: a remark`, at the start of a block or after an empty line in it
names the file that follows.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from tests.support.paths import ROOT

_BLOCK = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAME = re.compile(r"(?:\A|(?<=\n\n))# ([\w./-]+\.(?:py|yaml|ini|toml|env))(?::[^\n]*)?\n")


class Block(NamedTuple):
    """One fenced block. line: of its first line of code."""

    page: str
    line: int
    language: str
    text: str


def pages() -> list[Path]:
    """README and every page below docs/."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    name = str(page.relative_to(ROOT))
    return [Block(name, text.count("\n", 0, m.start(2)) + 1, m[1], m[2]) for m in _BLOCK.finditer(text)]


def files(page: Path) -> dict[str, str]:
    """The files that the blocks of a page name, with their text."""
    found: dict[str, str] = {}
    for block in blocks(page):
        parts = _NAME.split(block.text)
        for name, text in zip(parts[1::2], parts[2::2], strict=True):
            assert name not in found, f"{block.page}:{block.line}: {name} is there twice"
            found[name] = text.strip("\n") + "\n"
    return found


def write(page: Path, directory: Path) -> list[str]:
    """Write the files of a page below a directory; their names, sorted."""
    found = files(page)
    for name, text in found.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return sorted(found)
