"""What the kit records on a host: what each application needs of a service, and which packages the kit installed."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

PACKAGES = "packages"


def packages(directory: Path) -> list[str]:
    """Return the packages that the kit installed, in the order of their installation."""
    try:
        return (directory / PACKAGES).read_text().split()
    except FileNotFoundError:
        return []


def needs_of_others(directory: Path, service: str, application: str) -> list[dict[str, Any]]:
    """Return what other applications need of a service, by the name of their files.

    Args:
        directory: Where the kit records things.
        service: The service.
        application: The application that is left out.
    """
    found = [json.loads(file.read_text()) for file in sorted((directory / service).glob("*.json"))]
    return [needs for needs in found if needs["application"] != application]


def write(file: Path, text: str, mode: int) -> None:
    """Write a file in one step, and make the directories above it, which all may enter."""
    for directory in (file.parent.parent, file.parent):
        if not directory.is_dir():
            directory.mkdir()
            directory.chmod(0o755)
    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as made:
        made.write(text)
    new.chmod(mode)
    new.replace(file)


def differences(
    settings: Mapping[str, Any], others: Sequence[Mapping[str, Any]], secrets: Collection[str] = ()
) -> list[str]:
    """Return on which settings of a service applications do not agree, a text for each.

    Args:
        settings: Those of this application's inventory.
        others: What other applications need. A setting that one did not record is no difference.
        secrets: Names of settings whose values are not told.
    """
    found = []
    for other in others:
        for name, mine in sorted(settings.items()):
            theirs = other["settings"].get(name, mine)
            if str(theirs) != str(mine):
                told = f"{str(theirs) or 'empty'}, this one has {str(mine) or 'nothing'}"
                found.append(f"{name} of {other['application']} is {'another' if name in secrets else told}")
    return found
