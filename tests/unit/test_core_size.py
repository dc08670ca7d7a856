"""The core stays one that is read in an afternoon (docs/core.md)."""

from __future__ import annotations

import importlib.util

from tests.support.paths import ROOT

LIMIT = 2_750
LONGEST_FILE = 400


def test_the_core_stays_small() -> None:
    spec = importlib.util.spec_from_file_location("core_size", ROOT / "scripts/core_size.py")
    assert spec is not None
    assert spec.loader is not None
    core_size = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(core_size)
    files = core_size.core_files()
    assert len(files) == len(set(files)) > 30
    assert sum(core_size.code_lines(path) for path in files) <= LIMIT


def test_no_file_is_too_long_to_be_read() -> None:
    tracked = [*ROOT.glob("src/**/*.py"), *ROOT.glob("tests/**/*.py"), *ROOT.glob("scripts/*.py")]
    long = {str(path): count for path in tracked if (count := len(path.read_text().splitlines())) > LONGEST_FILE}
    assert not long
