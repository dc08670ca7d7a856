"""The same short piece of fuzzing at each run: that the harness works, and that what was once found stays mended."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from tests.fuzz.run import fuzz
from tests.fuzz.targets import CORPUS, NAMES, PLANTED, corpus, targets

# As in pyproject.toml. Where there is a build and it is not installed, the tests fail and say so.
HAS_BUILD = sys.platform == "linux" and platform.machine() == "x86_64" and sys.version_info < (3, 14)
needs_atheris = pytest.mark.skipif(not HAS_BUILD, reason="atheris has no build for this platform and Python")


def test_each_target_has_inputs_to_start_from(tmp_path: Path) -> None:
    assert sorted(path.name for path in CORPUS.iterdir()) == sorted(NAMES)
    assert sorted(targets(tmp_path)) == sorted((*NAMES, PLANTED))


@pytest.mark.parametrize("name", NAMES)
def test_no_kept_input_breaks_a_promise(tmp_path: Path, name: str) -> None:
    check = targets(tmp_path)[name]
    inputs = corpus(name)
    assert inputs
    for data in inputs:
        check(data)


@needs_atheris
@pytest.mark.parametrize("name", NAMES)
def test_a_short_piece_of_fuzzing_finds_nothing(tmp_path: Path, name: str) -> None:
    result = fuzz(name, tmp_path, "-runs=1000", "-seed=1")
    assert not result.error, result.error
    assert result.executions >= 1000
    assert result.found == []
    assert result.coverage >= 5  # it is guided


@needs_atheris
def test_what_is_found_is_reported_and_kept(tmp_path: Path) -> None:
    (tmp_path / PLANTED).mkdir()
    (tmp_path / PLANTED / "start").write_bytes(b"bug")
    result = fuzz(PLANTED, tmp_path, "-runs=1000", "-seed=1")
    assert "AssertionError: the planted bug" in result.error
    assert [path.read_bytes() for path in result.found] == [b"bug"]
