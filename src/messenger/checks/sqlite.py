"""The SQLite file of a transport: permissions, disk and file system.

The file is examined without creating it or the files that SQLite puts beside it.
"""

from __future__ import annotations

import os
import pwd
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import DBAPIError

from messenger.checks.finding import Finding, Place
from messenger.checks.sql_table import check_leases, check_table, missing_table, table_columns
from messenger.transports.sql.options import SqlOptions

_MAGIC = b"SQLite format 3\0"
_WAL = 2  # in byte 18 and 19 of the file (SQLite, "Database File Format", 1.3)
_BESIDE = ("-wal", "-shm", "-journal")
_MIB = 1024**2
_LITTLE, _NOTHING = 200 * _MIB, 10 * _MIB
_NETWORK = frozenset(("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "fuse.sshfs"))
_MOVE = (
    "stop the workers and what dispatches, move the file away together with those beside it that end in -wal and -shm, "
    "and start them again: the next use makes a new one"
)
_MOUNTS = Path("/proc/self/mounts")


def check_sqlite(where: str, options: SqlOptions) -> Iterator[Finding]:
    """Check the file, its directory and disk; then its table.

    Args:
        where: Names the transport and the table.
        options: The options of the transport.
    """
    path = Path(options.url.database or "").absolute()
    place = Place("sqlite-file", f"SQLite file {path}")
    problems = [*_check_access(place, path), *_check_file(place, path)]
    yield from problems
    yield from check_disk(path)
    if problems:
        return
    if path.exists():
        yield place.ok(f"this user can write it; {_journal(path)}")
        yield from _check_table(where, path, options)
    else:
        yield place.ok("it is not there yet, and this user can create it")
        yield missing_table(where, options)


def _check_access(place: Place, path: Path) -> Iterator[Finding]:
    """SQLite writes the file, those beside it, and creates and removes the latter in the directory."""
    directory = next(parent for parent in path.parents if parent.exists())
    if not os.access(directory, os.W_OK | os.X_OK):
        yield place.fail(
            f"{_name(os.geteuid())} cannot write the directory {directory}, where SQLite keeps its journal",
            f"chown {_name(os.geteuid())} {directory}, or run the check as the user of the workers",
        )
        return
    owner = path.parent.stat().st_uid if path.parent.exists() else None
    for file in (path, *(path.with_name(path.name + suffix) for suffix in _BESIDE)):
        if not file.exists():
            continue
        held_by = file.stat().st_uid
        if not os.access(file, os.R_OK | os.W_OK):
            yield place.fail(
                f"{_name(os.geteuid())} cannot write {file}, which belongs to {_name(held_by)}",
                f"chown {_name(os.geteuid())} {file}, or run the check as the user of the workers",
            )
        elif os.geteuid() == 0 and owner is not None and held_by != owner:
            yield place.fail(  # root can write anything; who else works here cannot
                f"{file} belongs to {_name(held_by)} and its directory to {_name(owner)}, who cannot write it",
                f"chown {_name(owner)} {file}, and run commands as {_name(owner)}",
            )


def _check_file(place: Place, path: Path) -> Iterator[Finding]:
    if path.is_dir():
        yield place.fail("it is a directory", "a file in the connection's URL: sqlite:////path/to/file")
        return
    try:
        begin = _first_bytes(path)
    except OSError:
        return  # absent, or not readable, which was said already
    if begin and not begin.startswith(_MAGIC):
        yield place.fail("it is no SQLite database", f"another file in the connection's URL; or {_MOVE}")


def check_disk(path: Path, mounts: Path = _MOUNTS) -> Iterator[Finding]:
    """Check for free space, and for a file system on which SQLite's journal works.

    Args:
        path: The file.
        mounts: File that lists the mounted file systems.
    """
    directory = next(parent for parent in path.parents if parent.exists())
    place = Place("sqlite-disk", f"disk of {directory}")
    kind = _file_system(directory, mounts)
    if kind in _NETWORK:
        yield place.fail(
            f"it is a network file system ({kind}), on which SQLite's journal does not work between hosts and may "
            "destroy the file",
            "a directory on a local disk, or PostgreSQL",
        )
        return
    found = os.statvfs(directory)
    free = found.f_bavail * found.f_frsize
    text = f"{free // _MIB} MiB are free"
    if free < _NOTHING:
        yield place.fail(f"{text}: nothing can be stored soon", "make room on it")
    elif free < _LITTLE:
        yield place.warn(text, "make room on it")
    else:
        yield place.ok(text)


def _file_system(directory: Path, mounts: Path) -> str | None:
    """Return the type of the file system of a directory; None when it is unknown."""
    try:
        lines = [line.split() for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        return None
    around = {str(one) for one in (directory.resolve(), *directory.resolve().parents)}
    found = [
        (len(line[1]), number, line[2]) for number, line in enumerate(lines) if len(line) > 2 and line[1] in around
    ]
    return max(found)[2] if found else None


def _journal(path: Path) -> str:
    return "journal_mode is wal" if _first_bytes(path)[18:20] == bytes((_WAL, _WAL)) else "the first use sets it to wal"


def _check_table(where: str, path: Path, options: SqlOptions) -> Iterator[Finding]:
    engine = create_engine("sqlite://", creator=lambda: _open(path), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            columns = table_columns(connection, options.table_name)
            findings = [*check_table(connection, where, options, columns)]
            findings += check_leases(connection, where, options, columns, findings)
            yield from findings
    except DBAPIError as error:
        yield Place("sqlite-file", f"SQLite file {path}").fail(
            f"it cannot be read: {error.orig}",
            f"restore it from a backup, with the workers stopped; or {_MOVE}",
        )


def _open(path: Path) -> sqlite3.Connection:
    """Without a journal beside it all is in the file: `immutable` then reads it and creates no journal."""
    alone = not path.with_name(f"{path.name}-wal").exists()
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro{'&immutable=1' * alone}", uri=True)


def _first_bytes(path: Path) -> bytes:
    """Closing a SQLite file drops the locks this process has on it; those who only look hold none for long."""
    with path.open("rb") as file:
        return file.read(20)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
