"""The variable tables in the roles' READMEs, made from their argument_specs.

python tests/roles/role_tables.py            say which READMEs are not up to date
python tests/roles/role_tables.py --write    write the tables
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROLES = Path(__file__).resolve().parents[2] / "roles"
BEGIN = "<!-- variables: made by tests/roles/role_tables.py from meta/argument_specs.yml -->"
END = "<!-- end of variables -->"


def options(role: str) -> dict[str, dict[str, Any]]:
    """The options of all entry points of the role, those of main first; not the variables of another role."""
    specs = yaml.safe_load((ROLES / role / "meta/argument_specs.yml").read_text())["argument_specs"]
    found: dict[str, dict[str, Any]] = {}
    for entry_point in specs.values():
        for name, option in entry_point["options"].items():
            if name.startswith(f"{role}_"):
                assert found.setdefault(name, option) == option, f"{name} has one meaning in all entry points"
    return found


def entry_points(role: str) -> dict[str, dict[str, dict[str, Any]]]:
    """The options of each entry point of the role."""
    specs = yaml.safe_load((ROLES / role / "meta/argument_specs.yml").read_text())["argument_specs"]
    return {name: spec.get("options", {}) for name, spec in specs.items()}


def _default(option: dict[str, Any]) -> str:
    if option.get("required"):
        return "required"
    if "default" not in option:
        return ""
    value = option["default"]
    text = value if isinstance(value, str) and value else json.dumps(value)
    return f"`{text}`".replace("|", "\\|")


def _rows(found: dict[str, dict[str, Any]]) -> Iterator[str]:
    for name, option in found.items():
        kind = option["type"] + (f" of {option['elements']}" if "elements" in option else "")
        choices = f" One of {', '.join(f'`{c}`' for c in option['choices'])}." if "choices" in option else ""
        about = " ".join(option["description"].split()).replace("|", "\\|")
        yield f"| `{name}` | {kind} | {_default(option)} | {about}{choices} |"


def table(role: str) -> str:
    """The tables of one role: its variables, and the keys of those that are lists of maps."""
    head = "| {} | type | default | what it is |\n|---|---|---|---|"
    found = options(role)
    parts = [head.format("variable"), *_rows(found)]
    for name, option in found.items():
        if "options" in option:
            parts += ["", f"Keys of an entry of `{name}`:", "", head.format("key"), *_rows(option["options"])]
    return "\n".join(parts)


def updated(role: str) -> tuple[str, str]:
    """The role's README as it is, and as it should be."""
    text = (ROLES / role / "README.md").read_text()
    before, rest = text.split(BEGIN)
    return text, f"{before}{BEGIN}\n{table(role)}\n{END}{rest.split(END)[1]}"


def role_names() -> list[str]:
    return sorted(path.name for path in ROLES.iterdir() if (path / "meta").is_dir())


def main() -> int:
    stale = []
    for role in role_names():
        is_now, should_be = updated(role)
        if is_now != should_be:
            stale.append(role)
            if "--write" in sys.argv[1:]:
                (ROLES / role / "README.md").write_text(should_be)
    for role in stale:
        print(f"roles/{role}/README.md {'written' if '--write' in sys.argv[1:] else 'is not up to date'}")
    return 0 if not stale or "--write" in sys.argv[1:] else 1


if __name__ == "__main__":
    sys.exit(main())
