"""The releases and environments that a host has: what the role's modules read."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path
from typing import Any

from ansible_collections.messenger.kit.plugins.module_utils.text import printable
from ansible_collections.messenger.kit.plugins.module_utils.tree import OPENED, is_roots

RELEASE_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8,64}$")
BYTES = 1 << 16  # of a mark, of release.json, and of a command line
MOST_PIDS = 20


def opened(file: Path) -> int | None:
    """A descriptor of FILE if it is a plain file that only root may change, and nothing is a link."""
    try:
        descriptor = os.open(file, OPENED)
    except OSError:
        return None
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode) and is_roots(found):
        return descriptor
    os.close(descriptor)
    return None


def text(file: Path) -> str:
    """What root wrote into FILE, or the beginning of it; empty if there is no file of root's."""
    descriptor = opened(file)
    if descriptor is None:
        return ""
    with os.fdopen(descriptor, "rb") as content:
        return content.read(BYTES).decode(errors="replace").strip()


def marked(directory: Path, mark: str) -> bool:
    """Whether root has set MARK in a directory that only root may change."""
    try:
        if not is_roots(os.lstat(directory)):
            return False
    except OSError:
        return False
    descriptor = opened(directory / f".{mark}")
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is not None


def set_mark(directory: Path, mark: str, content: str) -> None:
    """Set MARK in DIRECTORY, whole or not at all, for the group of the directory to read."""
    new = directory / f".{mark}.new"
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as made:
        os.fchown(descriptor, -1, directory.stat().st_gid)
        os.fchmod(descriptor, 0o640)
        made.write(f"{content}\n")
    new.replace(directory / f".{mark}")


def state(release: Path) -> str:
    """How far RELEASE came."""
    return next((mark for mark in ("bad", "good", "ready") if marked(release, mark)), "building")


def built(release: Path) -> dict[str, str]:
    """Who built RELEASE, when and from what, as far as it is known."""
    try:
        noted = json.loads(text(release / "release.json"))
    except ValueError:
        noted = {}
    known = noted if isinstance(noted, dict) else {}
    return {name: printable(str(known.get(name) or "")) for name in ("by", "at", "source", "revision", "fingerprint")}


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
        and marked(environment.resolve(), "ready")
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
                with (entry / "cmdline").open("rb", buffering=0) as words:
                    interpreter = os.fsdecode(words.read(BYTES).split(b"\0")[0])
            except OSError:  # gone meanwhile, or a kernel thread
                continue
            for place in {where, interpreter}:
                found.setdefault(place, []).append(int(entry.name))
    return found


def status(pid: int) -> dict[bytes, list[bytes]]:
    """Return what /proc says of a process, by name; nothing of one that has ended meanwhile."""
    try:
        with Path(f"/proc/{pid}/status").open("rb") as file:
            lines = file.read(BYTES).splitlines()
    except OSError:
        return {}
    return {name: value.split() for name, _, value in (line.partition(b":") for line in lines)}


def may_enter(process: dict[bytes, list[bytes]], group: int) -> bool:
    """Whether a process is root's or of GROUP. One of another application may call itself what it likes."""
    groups = process.get(b"Gid", []) + process.get(b"Groups", [])
    return b"0" in process.get(b"Uid", []) or str(group).encode() in groups


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
            "fingerprint": text(release / ".ready") if marked(release, "ready") else "",
            "fits": fits(release),
            "why": printable(text(release / ".bad")),
            **_running_in(release, processes),
        }
        for release in sorted(directory.iterdir(), key=lambda entry: entry.name, reverse=True)
        if RELEASE_ID.match(release.name) and release.is_dir()
    ]


def _running_in(release: Path, processes: dict[str, list[int]]) -> dict[str, Any]:
    """The lowest process ids of those that run in RELEASE, and how many there are, without children of each other."""
    place, group = release.resolve(), release.stat().st_gid
    pids = {pid for where, found in processes.items() if Path(where).is_relative_to(place) for pid in found}
    statuses = {pid: status(pid) for pid in pids}
    parents = {pid: int(found[b"PPid"][0]) for pid, found in statuses.items() if may_enter(found, group)}
    pids = {pid for pid, parent in parents.items() if parent not in parents}
    return {"pids": sorted(pids)[:MOST_PIDS], "processes": len(pids)}


def environments(root: Path) -> list[Path]:
    """Every environment below ROOT, also half built ones."""
    directory = root / "environments"
    return sorted(entry for entry in directory.iterdir() if entry.is_dir()) if directory.is_dir() else []


def whole_environments(root: Path) -> list[str]:
    """Names of the environments that are completely built."""
    return [entry.name for entry in environments(root) if marked(entry, "ready")]


def live(root: Path) -> str:
    """Id of the live release, empty if there is none."""
    link = root / "current"
    return Path(os.readlink(link)).name if link.is_symlink() else ""
