"""The file of SQLite: how it is opened, its identity at its path, and handling of a full disk."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import SQLAlchemyError

from messenger.errors import TransportUnavailable

NO_LIMIT = -1  # each thread that needs a connection gets one; 5 are kept open

# How long a statement waits for another process's transaction.
_BUSY_SECONDS = 20.0
_ASK_AGAIN_SECONDS = 0.005
# The log beside the file is copied into it after this many pages of 4 KiB, and cut to this size when it begins anew.
_LOG_PAGES = 100
_LOG_BYTES = 1024**2
RESERVE_BYTES = 1024**2
# A connection stays as it is after these: opened for reading only, or to a file or log that is not there any more.
_BROKEN = (
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_NOTADB,
)
Identity = tuple[int, int]


class DiskFull(TransportUnavailable):
    """SQLite found no room for its file, or for the log beside it."""


def sqlite_engine(url: URL) -> Engine:
    """Return an engine for a SQLite file, which is created when it is missing."""
    # isolation_level None: the driver opens no transactions by itself, _begin does.
    arguments = {"timeout": _BUSY_SECONDS, "isolation_level": None}
    engine = create_engine(url, connect_args=arguments, hide_parameters=True, max_overflow=NO_LIMIT)
    path = Path(url.database or "")

    @event.listens_for(engine, "do_connect")
    def _make_private(*_: Any) -> None:
        _check_log_has_its_file(path)
        create_private_file(path)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, record: Any) -> None:
        record.info["identity"] = _identity(path)
        connection.text_factory = lambda value: value.decode("utf-8", "surrogateescape")
        _switch_to_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
        _create_reserve(path)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # IMMEDIATE waits for the write lock at once; a lock taken later, after reading, fails instead of waiting.
        mode = "DEFERRED" if connection.get_execution_options().get("read_only") else "IMMEDIATE"
        connection.exec_driver_sql(f"BEGIN {mode}")
        if _identity(path) != connection.info["identity"]:
            connection.invalidate()
            raise TransportUnavailable(
                f"SQLite file {path}: it was moved, deleted or replaced while this process had it open; nothing was "
                "done. The next try uses what lies there now. Stop what uses the file before you move it"
            )

    @event.listens_for(engine, "handle_error")
    def _drop(context: ExceptionContext) -> None:
        code = error_code(context.original_exception)
        context.is_disconnect = context.is_disconnect or code in _BROKEN

    return engine


def error_code(error: BaseException | None) -> int:
    """Return SQLite's primary result code; 0 for another error."""
    found: int = getattr(error, "sqlite_errorcode", None) or 0
    return found & 0xFF  # the rest says which kind of it


def _identity(path: Path) -> Identity | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _check_log_has_its_file(path: Path) -> None:
    """A log would be copied into the new file that this process is about to create, and spoil it."""
    log = path.with_name(f"{path.name}-wal")
    if not path.exists() and log.exists() and log.stat().st_size:
        raise TransportUnavailable(
            f"SQLite file {path}: it is not there, but {log.name} is, with messages in it: put the file back, or move "
            "the log away with it"
        )


def _reserve(path: Path) -> Path:
    return path.with_name(f"{path.name}-reserve")


def _create_reserve(path: Path) -> None:
    """Keep some of the disk for the time when it is full, unless it is nearly full now."""
    found = os.statvfs(path.parent)
    if _reserve(path).exists() or found.f_bavail * found.f_frsize < 2 * RESERVE_BYTES:
        return
    try:
        create_private_file(_reserve(path), RESERVE_BYTES)
    except OSError:
        _reserve(path).unlink(missing_ok=True)


def check_room(path: Path, size: int) -> None:
    """Refuse a large message that may fit the log beside the file, but not the file as well.

    Once it was stored in the log alone, nothing could be removed any more.

    Args:
        path: The file.
        size: Bytes of the message. A small one goes into the reserve.

    Raises:
        DiskFull: There is not enough room.
    """
    if size < RESERVE_BYTES // 16 or not path.parent.exists():
        return
    found = os.statvfs(path.parent)
    if found.f_bavail * found.f_frsize < 2 * size + _LOG_BYTES:
        raise DiskFull(f"SQLite file {path}: no room on the disk for a message of {size} bytes; nothing was sent")


def make_room(engine: Engine, path: Path) -> None:
    """On a full disk: give up the reserve, and copy the log into the file so that it begins anew.

    What is settled then frees room within the file.
    """
    _reserve(path).unlink(missing_ok=True)
    with suppress(SQLAlchemyError), engine.connect().execution_options(read_only=True) as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        with suppress(sqlite3.Error):
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """SQLite's own wait does not cover this statement: of two processes that open a new file, one would be refused."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_ASK_AGAIN_SECONDS)


def create_private_file(path: Path, size: int = 0) -> bool:
    """Create a file that only its owner can read, and its directory, when they are missing.

    SQLite itself creates files for everybody. Created by root, the file belongs to the owner of its directory: an
    operator's command must not lock the workers out. O_EXCL matters: opening and closing an existing SQLite file would
    drop the locks that this process has on it.

    Args:
        path: The file.
        size: Bytes of the disk to allocate for it.

    Returns:
        True when the file was created.

    Raises:
        OSError: It cannot be created.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    except FileExistsError:
        return False
    try:
        if os.geteuid() == 0:
            directory = path.parent.stat()
            os.fchown(file, directory.st_uid, directory.st_gid)
        if size:
            os.posix_fallocate(file, 0, size)
    finally:
        os.close(file)
    return True
