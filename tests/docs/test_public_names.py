"""docs/public-names.md names exactly what `messenger` offers."""

from __future__ import annotations

import re
import subprocess
import sys

import messenger
from tests.support.paths import ROOT


def test_the_page_is_up_to_date() -> None:
    ran = subprocess.run(
        [sys.executable, ROOT / "scripts" / "public_names.py"], capture_output=True, text=True, check=False
    )
    assert (ran.stdout + ran.stderr, ran.returncode) == ("", 0)


def test_each_name_has_one_row() -> None:
    text = (ROOT / "docs" / "public-names.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == messenger.__all__
