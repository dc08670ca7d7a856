"""docs/cli.md says what the parser of `messenger` says, with an example and the exit codes of each command."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import click
import pytest

from messenger.cli import EXIT_CONFIG, EXIT_USAGE
from tests.support.paths import ROOT

SCRIPT = ROOT / "scripts" / "cli_page.py"
USED = re.compile(r"--[a-z][a-z-]+")


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("cli_page", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGE = load_script()
COMMANDS: dict[tuple[str, ...], click.Command] = dict(PAGE.commands(PAGE.cli))
EACH = pytest.mark.parametrize("path", COMMANDS, ids=" ".join)


def test_the_page_is_up_to_date() -> None:
    ran = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=False)
    assert (ran.stdout + ran.stderr, ran.returncode) == ("", 0)


def test_each_command_has_its_section() -> None:
    headings = re.findall(r"^## messenger (.+)$", (ROOT / "docs" / "cli.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == [" ".join(path) for path in COMMANDS]


@EACH
def test_its_examples_are_taken_by_its_parser(
    path: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sms.jsonl").touch()
    examples = PAGE.examples(COMMANDS[path])
    assert examples
    for example in examples:
        words = shlex.split(example.partition(" > ")[0])
        assert words[: len(path) + 1] == ["messenger", *path]
        COMMANDS[path].make_context(" ".join(path), words[len(path) + 1 :])


@EACH
def test_its_exit_codes_are_said(path: tuple[str, ...]) -> None:
    codes = PAGE.exit_codes(COMMANDS[path])
    assert list(codes) == sorted(codes)
    assert {0, EXIT_USAGE} <= set(codes)
    assert EXIT_CONFIG in codes or path == ("completion",), "it loads no application"
    assert all(codes.values())


@EACH
def test_what_it_says_names_only_options_that_there_are(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    known = {option for parameter in command.params for option in parameter.opts}
    texts = [command.help or "", *(p.help or "" for p in command.params if isinstance(p, click.Option))]
    assert [option for text in texts for option in USED.findall(text) if option not in known] == []
