"""Links between the pages of this repository lead to files and headings that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.paths import ROOT

_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
_SKIPPED = {".venv", "node_modules"}
_PRIVATE = re.compile(r"\((?:[^()]*[ ,;])?R\d{1,2}[,;) ]|\bspec (?:sections? )?\d")


def markdown() -> list[Path]:
    """Every page of the repository, those of roles and examples included."""
    found = (path.relative_to(ROOT) for path in ROOT.rglob("*.md"))
    return sorted(
        path for path in found if not any(part in _SKIPPED or part.startswith(".") for part in path.parts[:-1])
    )


@cache
def prose(page: Path) -> str:
    """The text of a page without its fenced blocks."""
    return _FENCE.sub("", (ROOT / page).read_text(encoding="utf-8"))


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors of a page's headings, formed as GitHub does it."""
    found: list[str] = []
    for heading in _HEADING.findall(prose(page)):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        again = found.count(anchor)
        found.append(anchor)
        if again:
            found.append(f"{anchor}-{again}")
    return frozenset(found)


def links() -> Iterator[tuple[Path, str]]:
    """Each page, with each link in it that stays within the repository."""
    for page in markdown():
        for target in dict.fromkeys(_LINK.findall(prose(page))):
            if not re.match(r"[a-z]+:", target):
                yield page, target


@pytest.mark.parametrize(("page", "target"), list(links()), ids=str)
def test_a_link_leads_somewhere(page: Path, target: str) -> None:
    path, _, anchor = target.partition("#")
    file = (ROOT / page.parent / path).resolve() if path else ROOT / page
    assert file.exists(), f"{page}: there is no {path}"
    if anchor and file.suffix == ".md":
        assert anchor in anchors(file.relative_to(ROOT)), f"{page}: {path} has no heading #{anchor}"


def test_each_page_of_docs_is_in_the_index() -> None:
    index = ROOT / "docs" / "index.md"
    listed = {(index.parent / target.partition("#")[0]).resolve() for target in _LINK.findall(index.read_text())}
    pages = {path for path in index.parent.rglob("*.md") if path != index}
    assert sorted(str(path.relative_to(ROOT)) for path in pages - listed) == []


@pytest.mark.parametrize("folder", ["src", "tests", "scripts", "roles", "playbooks", "molecule", "plugins", "docs"])
def test_nothing_refers_to_a_list_that_is_not_here(folder: str) -> None:
    """What the numbers of such a list said is in docs/requirements.md, or in a sentence where it is used."""
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in {".py", ".lua", ".yml", ".j2", ".md", ".sh"}
        for line in path.read_text(encoding="utf-8").splitlines()
        if _PRIVATE.search(line)
    ]
    assert found == []
