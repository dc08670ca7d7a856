"""docs/symfony-parity.md tells the truth: tests prove each row, and each name in it is in the code.

symfony_parity.json has the tests of each row, by section and first cell.
"""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.paths import ROOT

PAGE = ROOT / "docs" / "symfony-parity.md"
SECTIONS = 22  # of Symfony's behaviour, as its documentation and code divide it
LEFT_OUT = "left out: "
PROOF = re.compile(r"([\w/]+\.py)::(test_\w+)")
PROOFS: dict[str, dict[str, list[str]]] = json.loads((Path(__file__).parent / "symfony_parity.json").read_text("utf-8"))


class Row(NamedTuple):
    line: int
    section: str
    symfony: str
    here: str


def rows() -> list[Row]:
    """Every row of every table of the page."""
    found = []
    section = ""
    for number, line in enumerate(PAGE.read_text(encoding="utf-8").splitlines(), start=1):
        section = line.removeprefix("## ") if line.startswith("## ") else section
        if line.startswith("|") and not line.startswith(("| in Symfony |", "| --- |")):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]
            assert len(cells) == 2, f"line {number}: {len(cells)} cells: {line}"
            found.append(Row(number, section, *cells))
    return found


@cache
def names_in(path: str) -> frozenset[str]:
    """The names of the test functions of a file below tests/; none when there is no such file."""
    file = ROOT / "tests" / path
    if not file.is_file():
        return frozenset()
    body = ast.parse(file.read_text(encoding="utf-8")).body
    functions = (node for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(function.name for function in functions if function.name.startswith("test_"))


@cache
def words() -> frozenset[str]:
    """Every word of the package's source, options such as --limit included."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py")]
    return frozenset(re.findall(r"--[a-z][a-z-]*|\w+", "\n".join(texts)))


@cache
def classes() -> frozenset[str]:
    """The names of the classes and type aliases of the package."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "src").rglob("*.py")]
    return frozenset(node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef))


def test_every_section_is_there_and_has_rows() -> None:
    parts = re.split(r"^## (\d+)\. ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert [int(number) for number in parts[1::2]] == list(range(1, SECTIONS + 1))
    assert [part for part in parts[2::2] if "\n| --- | --- |\n| " not in part] == []


def test_the_list_of_proofs_has_no_other_rows() -> None:
    proved = [(row.section, row.symfony) for row in rows() if not row.here.startswith(LEFT_OUT)]
    assert proved == [(section, symfony) for section, found in PROOFS.items() for symfony in found]


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"line-{row.line}")
def test_a_row(row: Row) -> None:
    assert all(row), "no cell is empty"
    if row.here.startswith(LEFT_OUT):
        assert len(row.here.removeprefix(LEFT_OUT)) > 25, "one sentence: why"
        return
    proofs = PROOFS[row.section][row.symfony]
    assert proofs, "a test that proves it, or 'left out: ' and why"
    for proof in proofs:
        found = PROOF.fullmatch(proof)
        assert found is not None, proof
        assert found[2] in names_in(found[1]), f"there is no {proof}"
    for token in re.findall(r"`([^`]+)`", row.here):
        unknown = [word for word in re.findall(r"--[a-z][a-z-]*|\w+", token) if word not in words()]
        assert unknown == [], "stands nowhere in src"
        if re.fullmatch(r"[A-Z][a-z]\w+", token):
            assert token in classes()
