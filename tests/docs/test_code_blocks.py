"""Every block of every page: Python that parses and imports what there is, YAML that loads, commands that exist."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml

from messenger.cli import cli
from messenger.config.loader import load_config
from tests.docs.blocks import Block, blocks, pages
from tests.support.paths import ROOT

ALL = [block for page in pages() for block in blocks(page)]
SHELL = ("bash", "sh", "console")
INLINE = re.compile(r"`messenger ([^`]+)`")


def in_language(*languages: str) -> pytest.MarkDecorator:
    found = [block for block in ALL if block.language in languages]
    assert found
    return pytest.mark.parametrize("block", found, ids=lambda block: f"{block.page}:{block.line}")


@in_language("python")
def test_python_parses_and_imports_what_there_is(block: Block) -> None:
    tree = ast.parse(block.text)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "messenger":
            module = importlib.import_module(node.module or "")
            missing = [name.name for name in node.names if not hasattr(module, name.name)]
            assert missing == [], f"not in {node.module}"


@in_language("yaml")
def test_yaml_loads(block: Block, tmp_path: Path) -> None:
    document = yaml.safe_load(block.text)
    if isinstance(document, dict) and {"framework", "messenger"} & set(document):
        path = tmp_path / "messenger.yaml"
        path.write_text(_with_transports(block.text), encoding="utf-8")
        load_config(path, dict.fromkeys(re.findall(r"%env\((\w+)\)%", block.text), "redis://localhost/x"))


def _with_transports(text: str) -> str:
    """A part of a file may name transports that another part has."""
    document = yaml.safe_load(text)
    section = document["messenger"] if "messenger" in document else document["framework"]["messenger"]
    transports = section.setdefault("transports", {})
    for routed in (section.get("routing") or {}).values():
        for name in [routed] if isinstance(routed, str) else routed:
            transports.setdefault(name, "sync://")
    return yaml.safe_dump(document)


def commands() -> Iterator[tuple[str, str]]:
    """Every `messenger …` command of the pages, and where it stands."""
    for block in ALL:
        for number, line in enumerate(block.text.splitlines(), start=block.line):
            if block.language in SHELL and line.startswith("messenger "):
                yield f"{block.page}:{number}", line.removeprefix("messenger ")
    for page in pages():
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
            for text in INLINE.findall(line):
                yield f"{page.relative_to(ROOT)}:{number}", text


@pytest.mark.parametrize(("where", "text"), list(commands()), ids=lambda value: value if ":" in value else "")
def test_a_command_exists(where: str, text: str) -> None:
    words = shlex.split(text.replace("…", " "), comments=True)
    command: click.Command = cli
    context = click.Context(cli)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name = words.pop(0).split("|")[0]
        found = command.get_command(context, name)
        assert found is not None, f"{where}: no command {name!r}"
        command = found
    known = {option for parameter in command.params for option in parameter.opts} | {"--help", "-h"}
    options = [word.split("=")[0].rstrip(",") for word in words if word.startswith("-")]
    assert [option for option in options if option not in known] == [], where
