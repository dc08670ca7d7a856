"""Trees of files that are root's: how they are made, and whether they still are what they were."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

MANIFEST = ".manifest"
# Beside the manifest; they say how far a release came, and change.
MARKS = (".ready", ".good", ".bad", ".checked")
OPENED = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Refused(Exception):
    """A tree holds what it must not."""


def copy_tree(source: Path, target: Path, owner: int) -> None:
    """Copy the plain files and directories of SOURCE, which user OWNER made, into TARGET, where they are root's.

    Everything is opened through descriptors of its directory. Nothing that is in TARGET already is replaced.

    Raises:
        Refused: SOURCE holds something else, or a file of another user.
    """
    for where, directories, files, descriptor in os.fwalk(source):
        inside = target / Path(where).relative_to(source)
        for name in directories:
            if not stat.S_ISDIR(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode):
                raise Refused(f"{where}/{name} is a link")
            if (inside / name).is_symlink():
                raise Refused(f"{inside / name} is a link")
            (inside / name).mkdir(mode=0o700, exist_ok=True)
        for name in files:
            _copy_file(f"{where}/{name}", descriptor, inside / name, owner)


def _copy_file(source: str, directory: int, target: Path, owner: int) -> None:
    try:
        opened = os.open(os.path.basename(source), OPENED, dir_fd=directory)
    except OSError as error:  # a link, or a socket
        raise Refused(f"{source} is no plain file ({error.strerror})") from None
    with os.fdopen(opened, "rb") as reader:
        found = os.fstat(opened)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != owner:
            raise Refused(f"{source} is no plain file of the user who made it")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            made = os.open(target, flags, 0o700 if found.st_mode & 0o100 else 0o600)
        except FileExistsError:
            raise Refused(f"{target} is there already, and a package brings another") from None
        with os.fdopen(made, "wb") as writer:
            shutil.copyfileobj(reader, writer)
            writer.flush()
            # Byte code is good for the source file of one moment.
            os.utime(made, ns=(found.st_atime_ns, found.st_mtime_ns))


class Entry(NamedTuple):
    """What is at a path: `kind` is directory, link, file or other; `content` where a link leads, or a digest."""

    kind: str
    mode: str
    owner: int
    group: int
    size: int
    content: str


def seal(directory: Path, group: int, public: bool = False) -> None:
    """Make all below DIRECTORY root's and read-only for GROUP (for everybody if PUBLIC), and write its manifest.

    Nobody but root may enter it before. Directories and executables get mode 0750, files 0640.
    """
    for where, directories, files, descriptor in os.fwalk(directory):
        for name in [*directories, *files]:
            found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            os.chown(name, os.geteuid(), group, dir_fd=descriptor, follow_symlinks=False)
            if stat.S_ISLNK(found.st_mode):
                continue
            if not stat.S_ISDIR(found.st_mode) and not stat.S_ISREG(found.st_mode):
                raise Refused(f"{where}/{name} is no plain file")
            if stat.S_ISREG(found.st_mode) and found.st_nlink > 1:
                raise Refused(f"{where}/{name} has another name, too")
            runs = stat.S_ISDIR(found.st_mode) or found.st_mode & 0o100
            os.chmod(name, (0o750 if runs else 0o640) | (0o005 if runs and public else 0o004 if public else 0),
                     dir_fd=descriptor)  # fmt: skip
    write_private(directory / MANIFEST, json.dumps(dict(read(directory)), indent=0))
    os.chown(directory, os.geteuid(), group)
    directory.chmod(0o755 if public else 0o750)


def read(directory: Path, known: dict[str, Entry] | None = None) -> Iterator[tuple[str, Entry]]:
    """Yield every path below DIRECTORY, without manifest and marks, and what is there.

    A file whose size is not the one in KNOWN is not read.
    """
    for where, directories, files, descriptor in os.fwalk(directory):
        inside = os.path.relpath(where, directory)
        for name in sorted([*directories, *files]):
            path = os.path.normpath(f"{inside}/{name}")
            if path == MANIFEST or path in MARKS:
                continue
            yield path, _entry(name, descriptor, known.get(path) if known else None)


def _entry(name: str, directory: int, known: Entry | None) -> Entry:
    found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    mode, content, kind, size = f"{stat.S_IMODE(found.st_mode):04o}", "", "other", 0
    if stat.S_ISLNK(found.st_mode):
        kind, content = "link", os.readlink(name, dir_fd=directory)
    elif stat.S_ISDIR(found.st_mode):
        kind = "directory"
    elif stat.S_ISREG(found.st_mode):
        kind, size = "file", found.st_size
        if known is None or known.size == size:
            with os.fdopen(os.open(name, OPENED, dir_fd=directory), "rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
    return Entry(kind, mode, found.st_uid, found.st_gid, size, content)


def differences(directory: Path) -> list[str]:
    """Say in a line each what is not as seal() left it: paths that differ, are missing, or are new.

    Raises:
        Refused: there is no manifest that can be believed.
    """
    try:
        if not is_roots(os.lstat(directory / MANIFEST)):
            raise Refused("its manifest is not root's")
        noted: dict[str, Any] = json.loads((directory / MANIFEST).read_text())
        known = {path: Entry(*entry) for path, entry in noted.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        raise Refused("it has no manifest that can be read") from None
    found = dict(read(directory, known))
    said = [f"{path} is missing" for path in known if path not in found]
    said += [f"{path} is new" for path in found if path not in known]
    for path in known.keys() & found.keys():
        was, now = known[path], found[path]
        if was != now:
            said.append(f"{path} has {_changed(was, now)}")
    return sorted(said)


def _changed(was: Entry, now: Entry) -> str:
    if was.kind != now.kind or (was.size, was.content) != (now.size, now.content):
        return "another content"
    if was.mode != now.mode:
        return f"mode {now.mode} instead of {was.mode}"
    return f"owner {now.owner}:{now.group} instead of {was.owner}:{was.group}"


def is_roots(found: os.stat_result) -> bool:
    """Return True for a file or directory of root that only root may write to."""
    return found.st_uid == os.geteuid() and not found.st_mode & 0o022 and not stat.S_ISLNK(found.st_mode)


def write_private(file: Path, text: str) -> None:
    """Write FILE, whole or not at all, for root alone."""
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as made:
        made.write(text)
    new.replace(file)
