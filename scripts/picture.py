#!/usr/bin/env python3
"""Draw what a command printed as an SVG for the README.

usage: make sandbox 2>&1 | scripts/picture.py "make sandbox" docs/pictures/deploy.svg
"""

import re
import sys
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text


def draw(title: str, printed: str) -> str:
    """The SVG. No font is fetched from anywhere: the reader's own monospace font is used."""
    text = Text.from_ansi(
        re.sub("^ +", lambda indent: "\u00a0" * len(indent[0]), printed.rstrip("\n"), flags=re.MULTILINE)
    )
    width = max(line.cell_len for line in text.split("\n")) if printed.strip() else 80
    with Path("/dev/null").open("w") as nowhere:
        console = Console(record=True, width=width, file=nowhere, force_terminal=True)
        console.print(text, no_wrap=True, overflow="ignore", crop=False)
        code_format = re.sub(r"@font-face \{\{.*?\n    \}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
        return console.export_svg(title=title, code_format=code_format)


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 64
    Path(sys.argv[2]).write_text(draw(sys.argv[1], sys.stdin.read()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
