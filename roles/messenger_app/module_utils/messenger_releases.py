"""The releases and environments that a host has: what the role's modules read."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

RELEASE_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}$")


def text(file: Path) -> str:
    """Content of FILE, empty if there is none."""
    try:
        return file.read_text(errors="replace").strip()
    except OSError:
        return ""


def state(release: Path) -> str:
    """How far RELEASE came."""
    for mark in ("bad", "good", "ready"):
        if (release / f".{mark}").exists():
            return mark
    return "building"


def built(release: Path) -> dict[str, str]:
    """Who built RELEASE, when and from what. One from before this was noted says nothing."""
    try:
        noted = json.loads(text(release / "release.json"))
    except ValueError:
        noted = {}
    known = noted if isinstance(noted, dict) else {}
    return {name: str(known.get(name) or "") for name in ("by", "at", "source", "revision", "fingerprint")}


def shown(how_far: str, live: bool) -> str:
    """The word for operators: a good release is ready to go back to."""
    if live:
        return "live"
    return "ready" if how_far == "good" else how_far


def fits(release: Path) -> bool:
    """Whether its interpreter is there and of the version it was made for, and the environment it uses is whole."""
    python = release / "venv" / "bin" / "python"
    environment = release / "environment"
    return (
        python.exists()
        and (release / "venv" / "lib" / python.resolve().name).is_dir()
        and (not environment.is_symlink() or (environment / ".ready").exists())
    )


def running() -> dict[str, list[int]]:
    """Where processes run, with the processes at each place: their working directories and their interpreters' paths.

    A worker starts in its release; when a handler has left it for another directory, its interpreter is still there.
    """
    found: dict[str, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                where = os.readlink(entry / "cwd").removesuffix(" (deleted)")
                interpreter = os.fsdecode((entry / "cmdline").read_bytes().split(b"\0")[0])
            except OSError:  # gone meanwhile, or a kernel thread
                continue
            for place in {where, interpreter}:
                found.setdefault(place, []).append(int(entry.name))
    return found


def releases(root: Path, current: str = "") -> list[dict[str, Any]]:
    """Every release below ROOT, the newest first; CURRENT is the live one."""
    directory = root / "releases"
    if not directory.is_dir():
        return []
    processes = running()
    return [
        {
            "id": release.name,
            "state": state(release),
            "shown": shown(state(release), release.name == current),
            "built": built(release),
            "fingerprint": text(release / ".ready"),
            "fits": fits(release),
            "why": text(release / ".bad"),
            "pids": sorted(
                {
                    pid
                    for where, pids in processes.items()
                    if Path(where).is_relative_to(release.resolve())
                    for pid in pids
                }
            ),
        }
        for release in sorted(directory.iterdir(), key=lambda entry: entry.name, reverse=True)
        if RELEASE_ID.match(release.name) and release.is_dir()
    ]


def environments(root: Path) -> list[Path]:
    """Every environment below ROOT, also half built ones."""
    directory = root / "environments"
    return sorted(entry for entry in directory.iterdir() if entry.is_dir()) if directory.is_dir() else []


def whole_environments(root: Path) -> list[str]:
    """Names of the environments that are completely built."""
    return [entry.name for entry in environments(root) if (entry / ".ready").exists()]


def live(root: Path) -> str:
    """Id of the live release, empty if there is none."""
    link = root / "current"
    return Path(os.readlink(link)).name if link.is_symlink() else ""
