"""Render the project's templates as Ansible does, without a host: role defaults, role vars, then overrides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from tests.support.modules import ROLES
from tests.support.paths import ROOT


def role_variables(*roles: str) -> dict[str, Any]:
    """Defaults and vars of `roles`, unrendered."""
    loader = DataLoader()
    found: dict[str, Any] = {
        "role_path": str(ROLES / roles[0]),
        "playbook_dir": str(ROOT / "playbooks"),
        "inventory_dir": str(ROOT / "inventory/local"),
        "inventory_hostname": "host1",
    }
    for folder in ("defaults", "vars"):
        for role in roles:
            file = ROLES / role / folder / "main.yml"
            found |= loader.load_from_file(str(file), trusted_as_template=True) or {}
    return found


def render(template: Path, *roles: str, **overrides: Any) -> str:
    """The text of `template`. overrides: what an inventory would set, or facts."""
    return str(evaluate(f"{{{{ lookup('ansible.builtin.template', '{template}') }}}}", *roles, **overrides))


def evaluate(expression: str, *roles: str, **overrides: Any) -> Any:
    """The value of a Jinja `expression` among the variables of `roles`."""
    templar = Templar(DataLoader(), variables=role_variables(*roles) | overrides)
    return templar.template(trust_as_template(expression))


def trusted(value: Any) -> Any:
    """The texts of a task as templates, as Ansible takes them from a playbook."""
    if isinstance(value, dict):
        return {key: trusted(each) for key, each in value.items()}
    if isinstance(value, list):
        return [trusted(each) for each in value]
    return trust_as_template(value) if isinstance(value, str) else value
