#!/usr/bin/env python3
"""List what messenger-kit is made of, in CycloneDX 1.6: sbom.py [FILE]

Written to FILE (default: messenger-kit.cdx.json), from pyproject.toml and the two lock files. What only
requirements-dev.lock names is marked as excluded: it is needed for development, and on no host. The list of a deployed
release lies beside it, as sbom.cdx.json.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "roles/messenger_app/files"))

from cyclonedx_json import component, document, of_locked  # noqa: E402
from lock_file import read_lock  # noqa: E402


def kit_sbom(root: Path = ROOT) -> str:
    """Return the list for the kit in ROOT."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    needed, _ = read_lock(root / "requirements.lock")
    development, _ = read_lock(root / "requirements-dev.lock")
    names = {(package.name, package.version) for package in needed}
    kit = component("application", project["name"], project["version"], [], [{"license": {"id": project["license"]}}])
    return document(
        kit,
        [of_locked(package) | {"scope": "required"} for package in needed]
        + [
            of_locked(package) | {"scope": "excluded"}
            for package in development
            if (package.name, package.version) not in names
        ],
    )


def main() -> None:
    """Write the list."""
    if len(sys.argv) > 2 or sys.argv[1:2] == ["--help"]:
        sys.exit(__doc__)
    file = Path(sys.argv[1]) if len(sys.argv) == 2 else ROOT / "messenger-kit.cdx.json"
    file.write_text(kit_sbom())
    print(f"{file} written")


if __name__ == "__main__":
    main()
