#!/usr/bin/env python3
"""Lines of code of the core, file by file: without docstrings, comments and blank lines.

The core is what docs/core.md lists.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_NOT_CODE = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)


def core_files() -> list[Path]:
    """The files that docs/core.md lists, in its order."""
    text = (ROOT / "docs/core.md").read_text(encoding="utf-8")
    return [ROOT / "src/messenger" / name for name in re.findall(r"^\* `([\w/]+\.py)`", text, re.MULTILINE)]


def code_lines(path: Path) -> int:
    """How many lines of code a Python file has."""
    text = path.read_text(encoding="utf-8")
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _NOT_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - _docstrings(ast.parse(text)))


def _docstrings(tree: ast.Module) -> set[int]:
    lines: set[int] = set()
    for node in ast.walk(tree):
        may_have = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if may_have and ast.get_docstring(node) is not None:
            lines.update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    return lines


if __name__ == "__main__":
    counts = {path: code_lines(path) for path in core_files()}
    for path, count in counts.items():
        print(f"{count:5} {path.relative_to(ROOT / 'src/messenger')}")
    print(f"{sum(counts.values()):5}")
