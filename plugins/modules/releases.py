#!/usr/bin/python
"""Ansible module: which releases a host has, and removal of old ones and of environments that none uses."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.messenger.kit.plugins.module_utils.releases import (
    environments,
    live,
    releases,
    running,
    whole_environments,
)

DOCUMENTATION = r"""
module: releases
short_description: Which releases of an application a host has, and removal of old ones
description:
  - A release is a directory named by its id. Files in it say how far it came.
  - C(.ready) is written when it is completely built and holds the fingerprint of its content, C(.good) when its
    workers came up and stayed up, C(.bad) when it was given up and why. Without C(.ready) it is half built.
  - C(release.json) says who built it, when, and from which revision of which source.
  - C(environment) is a link to the environment in C(environments) that its packages come from.
options:
  root:
    description: The application's directory; releases are in C(releases), the live one is where C(current) points.
    type: path
    required: true
  keep:
    description:
      - Remove releases, but keep this many usable ones. Without it nothing is removed.
      - The live release, newer ones, and any in which a process still runs are never removed.
      - Environments that no release uses go too.
    type: int
author: The messenger-kit authors (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Read which releases there are
  messenger.kit.releases:
    root: /srv/sms
  register: found

- name: Remove all but five
  messenger.kit.releases:
    root: /srv/sms
    keep: 5
"""

RETURN = r"""
current:
  description: Id of the live release, empty if there is none.
  returned: always
  type: str
releases:
  description: Every release, the newest first.
  returned: always
  type: list
  elements: dict
  contains:
    id: {description: Its id., type: str}
    state: {description: "C(building), C(ready), C(good) or C(bad).", type: str}
    shown: {description: "What operators read: C(building), C(ready), C(live) or C(bad).", type: str}
    built: {description: "C(by), C(at), C(source), C(revision), C(fingerprint); empty where unknown.", type: dict}
    fingerprint: {description: What its content was., type: str}
    fits: {description: Its environment works with the host's Python., type: bool}
    pids: {description: Processes that run in it; the first twenty., type: list}
    processes: {description: How many run in it., type: int}
    why: {description: Why it is bad., type: str}
environments:
  description: Names of the environments that are completely built.
  returned: always
  type: list
removed:
  description: Ids of the releases that were removed.
  returned: always
  type: list
removed_environments:
  description: Names of the environments that were removed.
  returned: always
  type: list
warnings:
  description: What could not be removed. An old release that stays is no reason to fail a deploy.
  returned: sometimes
  type: list
"""


def removable(found: Iterable[dict[str, Any]], current: str, keep: int) -> list[str]:
    """Ids that may go: older than the live one, not running, and not among the KEEP newest usable ones."""
    usable = [release["id"] for release in found if release["state"] in ("good", "ready")]
    kept = {current, *[release_id for release_id in usable if release_id <= current][:keep]}
    return [
        release["id"]
        for release in found
        if release["id"] not in kept and release["id"] < current and not release["pids"]
    ]


def unused(root: Path, going: Collection[str]) -> list[Path]:
    """The environments that no release uses once those in GOING are gone, and in which no process runs."""
    directory = root / "releases"
    links = [entry / "environment" for entry in directory.iterdir() if entry.name not in going]
    used = {Path(os.readlink(link)).name for link in links if link.is_symlink()}
    busy = [Path(where) for where in running()]
    return [
        entry
        for entry in environments(root)
        if entry.name not in used and not any(where.is_relative_to(entry.resolve()) for where in busy)
    ]


def remove(root: Path, going: Iterable[Path], warnings: list[str]) -> list[str]:
    """Remove GOING and return the names of those that went. What cannot be removed is a warning."""
    removed = []
    for directory in going:
        try:
            # Half removed it must not be taken for whole, should this be cut off.
            (directory / ".ready").unlink(missing_ok=True)
            shutil.rmtree(directory)
        except OSError as error:
            warnings.append(f"{directory.relative_to(root)} is not needed any more and could not be removed: {error}")
        else:
            removed.append(directory.name)
    return removed


def prune(root: Path, keep: int, dry: bool = False) -> tuple[list[str], list[str], list[str]]:
    """Remove what may go: releases, then environments. Returns the names of both, and warnings."""
    current = live(root)
    going = removable(releases(root, current), current, keep)
    if dry:
        return going, [entry.name for entry in unused(root, going)], []
    warnings: list[str] = []
    removed = remove(root, [root / "releases" / release_id for release_id in going], warnings)
    return removed, remove(root, unused(root, removed), warnings), warnings


def main() -> None:
    """Report, and remove when asked to."""
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            "keep": {"type": "int"},
        },
        supports_check_mode=True,
    )
    root = Path(module.params["root"])
    current = live(root)
    found = releases(root, current)
    removed: list[str] = []
    removed_environments: list[str] = []
    if module.params["keep"] and found:
        removed, removed_environments, warnings = prune(root, module.params["keep"], module.check_mode)
        for warning in warnings:
            module.warn(warning)
    module.exit_json(
        changed=bool(removed or removed_environments),
        current=current,
        releases=found,
        environments=whole_environments(root),
        removed=removed,
        removed_environments=removed_environments,
    )


if __name__ == "__main__":
    main()
