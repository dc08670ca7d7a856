#!/usr/bin/env python3
"""docs/checks.md, made from what the source of `messenger check` can find.

scripts/checks_page.py            say whether it is up to date
scripts/checks_page.py --write    write it
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import generated

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "checks.md"
CHECKS = ROOT / "src" / "messenger" / "checks"
INTRODUCTION = """\
# What `messenger check` finds

Every finding, by the name of its check (`check` in `--format json`), and after → what to change. `…` stands for names
and numbers of your own; findings with the same remedy share a line. `redis-reach` and `postgresql-reach` say
`cannot be used` and quote the error, of which a part is given here. [How to run it](workers-operations.md#check).

Made by `scripts/checks_page.py --write`.
"""
Names = Mapping[str, ast.expr]


class Row(NamedTuple):
    """One finding."""

    check: str
    level: str
    found: str
    change: str


class Module:
    """The findings that one file of the source makes."""

    def __init__(self, path: Path) -> None:
        self._tree = ast.parse(path.read_text(encoding="utf-8"))
        self._constants = assigned(self._tree)
        checks = [name for node in ast.walk(self._tree) if (name := check_of(node)) is not None]
        self._check = checks[0] if checks else "any"

    def rows(self) -> Iterator[Row]:
        """In the order of the source; then what is advised for each reason of not being reached."""
        for function in ast.walk(self._tree):
            if isinstance(function, ast.FunctionDef):
                names = {**self._constants, **assigned(function)}
                calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
                for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
                    yield from self._row(call, names)
        if "_ADVICE" in self._constants:
            for parts, change in ast.literal_eval(self._constants["_ADVICE"]):
                yield Row(self._check, "fail", f"`{parts[0].strip()}`", change.replace("{user}", "…"))

    def _row(self, call: ast.Call, names: Names) -> Iterator[Row]:
        function = call.func
        if not isinstance(function, ast.Attribute) or function.attr not in ("warn", "fail"):
            return
        place = function.value
        place = names.get(place.id, place) if isinstance(place, ast.Name) else place
        found, change = (text(argument, names) for argument in call.args)
        if change != "…":  # else it is one of _ADVICE, or what an error says
            yield Row(check_of(place) or self._check, function.attr, found, change)


def assigned(tree: ast.Module | ast.FunctionDef) -> dict[str, ast.expr]:
    """What is assigned to plain names, by name."""
    nodes = tree.body if isinstance(tree, ast.Module) else list(ast.walk(tree))
    found = [node for node in nodes if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)]
    return {node.targets[0].id: node.value for node in found if isinstance(node.targets[0], ast.Name)}


def check_of(node: ast.AST) -> str | None:
    """The check that a call of Place names; None for anything else."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Place"):
        return None
    return str(node.args[0].value) if isinstance(node.args[0], ast.Constant) else "any"


def text(node: ast.expr, names: Names) -> str:
    """A text as it will be shown, with … for what is known only then."""
    return re.sub(r"…(…|, …)+", "…", " ".join(raw(node, names).split()))


def raw(node: ast.expr, names: Names) -> str:
    """The same, with … for each piece."""
    match node:
        case ast.Constant(value=value):
            return f"{value:g}" if isinstance(value, float) else str(value)
        case ast.JoinedStr(values=values):
            return "".join(raw(value, names) for value in values)
        case ast.FormattedValue(value=value):
            return raw(value, names)
        case ast.IfExp(body=body, orelse=orelse):
            return "/".join(dict.fromkeys((raw(body, names), raw(orelse, names))))
        case ast.Name(id=name) if name in names:
            return raw(names[name], {key: value for key, value in names.items() if key != name})
    return "…"


def page() -> str:
    """The text of the page."""
    found_by: dict[tuple[str, str, str], list[str]] = {}
    for path in sorted(CHECKS.glob("*.py")):
        for check, level, found, change in Module(path).rows():
            known = found_by.setdefault((check, level, change), [])
            if found not in known:
                known.append(found)
    lines = [INTRODUCTION]
    shown = ""
    for (check, level, change), known in sorted(found_by.items(), key=lambda item: item[0][0]):
        if check != shown:
            lines += [f"## {check}", ""] if not shown else ["", f"## {check}", ""]
            shown = check
        lines.append(f"- **{level}** {'; or: '.join(known)} → {change}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(generated.main("scripts/checks_page.py", __doc__, lambda: {PAGE: page()}))
