"""docs/checks.md has what the source of `messenger check` can find."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.support.paths import ROOT


def test_the_page_is_up_to_date() -> None:
    ran = subprocess.run(
        [sys.executable, ROOT / "scripts" / "checks_page.py"], capture_output=True, text=True, check=False
    )
    assert (ran.stdout + ran.stderr, ran.returncode) == ("", 0)


def test_no_check_is_missing() -> None:
    """Each name that a finding may have: read from the source in another way than the page is."""
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "src" / "messenger" / "checks").glob("*.py")]
    named = set(re.findall(r'Place\(\s*"([a-z-]+)"', "".join(sources)))
    text = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^## ([a-z-]+)$", text, re.MULTILINE)) == named | {"any"}


def test_it_says_what_to_change() -> None:
    text = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
    (section,) = re.findall(r"^## redis-eviction\n(.*?)(?=^## )", text, re.MULTILINE | re.DOTALL)
    (line,) = [line for line in section.splitlines() if line.startswith("- **fail**")]
    assert line == (
        "- **fail** maxmemory-policy is …: at the memory limit messages are deleted → "
        "maxmemory-policy noeviction in redis.conf, and CONFIG SET maxmemory-policy noeviction"
    )
