"""Every role variable is in defaults, argument_specs and README, and they say the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.roles.role_tables import entry_points, options, role_names, updated
from tests.support.modules import ROLES
from tests.support.paths import ROOT

MADE_FOR_OTHERS = ("messenger_worker_programs", "messenger_app_kit_env")  # for templates


def defaults(role: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROLES / role / "defaults/main.yml").read_text())
    return found


def test_the_roles_are_the_four_of_the_design() -> None:
    assert role_names() == ["messenger_app", "messenger_worker", "redis", "supervisor"]


@pytest.mark.parametrize("role", role_names())
def test_specs_have_the_defaults(role: str) -> None:
    specs = {name: option for entry in entry_points(role).values() for name, option in entry.items()}
    assert {name: option["default"] for name, option in specs.items() if "default" in option} == defaults(role)
    assert not [name for name, option in specs.items() if option.get("required") and name in defaults(role)]


@pytest.mark.parametrize("role", role_names())
def test_public_names_begin_with_the_role_s(role: str) -> None:
    assert not [name for name in options(role) if not name.startswith(f"{role}_")]
    private = yaml.safe_load((ROLES / role / "vars/main.yml").read_text())
    assert not [name for name in private if not name.startswith(f"__{role}_") and name not in MADE_FOR_OTHERS]


@pytest.mark.parametrize("role", role_names())
def test_readme_is_up_to_date(role: str) -> None:
    is_now, should_be = updated(role)
    assert is_now == should_be, "run: python tests/roles/role_tables.py --write"


@pytest.mark.parametrize("role", role_names())
def test_every_variable_is_used(role: str) -> None:
    files = [
        file for pattern in ("tasks/*", "vars/*", "templates/*", "handlers/*") for file in (ROLES / role).glob(pattern)
    ]
    files += (ROLES.parent / "templates").glob("*")
    text = "\n".join(file.read_text() for file in files)
    assert not [name for name in options(role) if not re.search(rf"\b{name}\b", text)]


def test_a_pool_s_keys_are_those_that_get_a_default() -> None:
    keys = options("messenger_worker")["messenger_worker_pools"]["options"]
    filled = yaml.safe_load((ROLES / "messenger_worker/vars/main.yml").read_text())
    assert set(keys) - {"name", "transports"} == set(filled["__messenger_worker_pool_defaults"])
    for name, key in keys.items():
        if "default" in key:
            assert filled["__messenger_worker_pool_defaults"][name] == key["default"]


def roles_called() -> Iterator[tuple[str, str]]:
    """Role and entry point of each import and include of a role, in playbooks and in other roles."""
    for file in [*(ROOT / "playbooks").glob("*.yml"), *ROLES.glob("*/tasks/*.yml")]:
        text = file.read_text()
        for call in re.findall(r"_role:.*\n(?:\s+(?:name|tasks_from): .*\n)+", text):
            (role,) = re.findall(r"name: messenger\.kit\.(\w+)", call)
            yield role, *(re.findall(r"tasks_from: (\w+)", call) or ["main"])


def test_every_entry_point_has_a_spec() -> None:
    called = {each for each in roles_called() if each[0].startswith("messenger_")}
    assert len(called) > 30
    assert {each for each in called if each[1] not in entry_points(each[0])} == set()
    known = {(role, entry) for role in ("messenger_app", "messenger_worker") for entry in entry_points(role)}
    assert known - called == set()
