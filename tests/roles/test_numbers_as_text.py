"""`-e processes=3` and INI inventories give text: where roles compare or decide, it is converted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from jinja2 import nodes

from tests.roles.render import evaluate
from tests.roles.role_tables import options, role_names
from tests.support.modules import ROLES
from tests.support.paths import ROOT

CONDITIONS = ("when", "that", "changed_when", "failed_when", "until")
OPERANDS = (nodes.And, nodes.Or, nodes.Not, nodes.Compare, nodes.Operand, nodes.BinExpr)
PARSER = jinja2.Environment()


def texts(value: Any, condition: bool = False) -> Iterator[str]:
    """Every Jinja text in a YAML document."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from texts(each, key in CONDITIONS)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each, condition)
    elif isinstance(value, str):
        value = value.replace("\\", "\\\\")  # as Ansible does, so that `\s` stays what it is
        yield f"{{{{ {value} }}}}" if condition and "{{" not in value else value


def decides(node: nodes.Node) -> Iterator[nodes.Node]:
    """What is compared, computed with, or taken for true or false in it."""
    for found in node.find_all(OPERANDS):
        yield from found.iter_child_nodes()
    yield from (found.test for found in node.find_all(nodes.If))
    yield from (found.test for found in node.find_all(nodes.CondExpr))


def unconverted(text: str, names: set[str]) -> set[str]:
    return {node.name for node in decides(PARSER.parse(text)) if isinstance(node, nodes.Name) and node.name in names}


def files() -> list[Path]:
    roles = [file for folder in ("tasks", "vars", "handlers") for file in ROLES.glob(f"*/{folder}/*.yml")]
    templates = [*ROLES.glob("*/templates/*.j2"), *ROOT.glob("templates/*.j2")]
    return sorted([*roles, *templates, *ROOT.glob("playbooks/*.yml")])


@pytest.mark.parametrize("file", files(), ids=lambda file: str(file.relative_to(ROOT)))
def test_what_is_decided_by_is_converted(file: Path) -> None:
    kinds = {name: option["type"] for role in role_names() for name, option in options(role).items()}
    names = {name for name, kind in kinds.items() if kind in ("int", "float", "bool")}
    text = file.read_text()
    found = [text] if file.suffix == ".j2" else texts(yaml.safe_load(text))
    assert {name for each in found for name in unconverted(each, names)} == set()


@pytest.mark.parametrize(("port", "made"), [("0", False), ("6379", True), (0, False), (6379, True)])
def test_a_port_may_be_text(port: Any, made: bool) -> None:
    assert evaluate("{{ __redis_makes_certificate }}", "redis", redis_tls_port=port) is made
