"""The documentation of the collection's plugins, as `ansible-doc` shows it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from typing import Any

import pytest
import yaml

from tests.support.modules import PLUGINS
from tests.support.paths import ROOT

ANSIBLE_DOC = os.path.join(os.path.dirname(sys.executable), "ansible-doc")


def ansible_doc(kind: str, *words: str) -> Any:
    """What `ansible-doc --json` prints."""
    return json.loads(
        subprocess.run(
            [ANSIBLE_DOC, "--type", kind, "--json", *words],
            cwd=ROOT,
            env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )


@pytest.mark.parametrize("kind", ["module", "filter", "callback"])
def test_every_plugin_has_documentation(kind: str) -> None:
    names = list(ansible_doc(kind, "--list", "messenger.kit"))
    assert names
    found = ansible_doc(kind, *names)
    for name in names:
        assert found[name]["doc"]["short_description"], name
        assert found[name]["doc"]["description"], name
        if kind != "callback":
            assert yaml.safe_load(found[name]["examples"]), f"{name} has no example"
        if kind == "filter":
            assert found[name]["return"]["_value"], name


def test_none_is_missing() -> None:
    modules = {file.stem for file in (PLUGINS / "modules").glob("*.py")}
    assert {file.stem for file in (PLUGINS / "action").glob("*.py")} <= modules
    assert {f"messenger.kit.{name}" for name in modules} == set(ansible_doc("module", "--list", "messenger.kit"))


def test_examples_have_the_options_of_the_module() -> None:
    for name, found in ansible_doc("module", *ansible_doc("module", "--list", "messenger.kit")).items():
        tasks = yaml.safe_load(found["examples"])
        assert any(name in task for task in tasks), f"{name} is in none of its examples"
        for task in filter(lambda task: name in task, tasks):
            given, options = set(task[name] or {}), found["doc"]["options"]
            required = {option for option, about in options.items() if about.get("required")}
            assert required <= given <= set(options), f"{name}: {given ^ required}"


def test_the_collection_has_the_version_of_the_package() -> None:
    collection = yaml.safe_load((ROOT / "galaxy.yml").read_text())
    assert collection["version"] == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
