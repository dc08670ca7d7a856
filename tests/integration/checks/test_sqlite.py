"""messenger check on a SQLite file: who can write it, where it lies, its table."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from messenger.checks.sqlite import check_disk
from tests.integration.checks.stores import FAILED, TAKEN_BY_PHP, bad, check_what_php_holds, look, transport

URL = "sqlite:///messenger.db"
NOBODY = 65534
SYMFONY_COLUMNS = (
    "id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, body CLOB NOT NULL, headers CLOB NOT NULL, queue_name VARCHAR(190)"
    " NOT NULL, created_at DATETIME NOT NULL, available_at DATETIME NOT NULL, delivered_at DATETIME DEFAULT NULL"
)


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory that other users can reach, too."""
    made = Path(tempfile.mkdtemp(prefix="messenger-sqlite-"))
    made.chmod(0o755)
    yield made
    made.chmod(0o755)
    shutil.rmtree(made)


def set_up(directory: Path, table: str | None = None) -> None:
    """Make the file; with the columns of `table` instead of ours."""
    if table is not None:
        with sqlite3.connect(directory / "messenger.db") as connection:
            connection.execute(f"CREATE TABLE messenger_messages ({table})")
        connection.close()
        return
    store = transport(URL, directory)
    store.setup()
    store.close()


def failures(directory: Path) -> list[tuple[str, str, str]]:
    """Check, what was found, and what to change, of each that fails."""
    return [(each.check, each.found, each.change or "") for each in look(URL, directory) if each.level == "fail"]


def failures_of_an_ordinary_user(directory: Path) -> list[tuple[str, str, str]]:
    """The same for one who is not root."""
    if os.geteuid() != 0:
        return failures(directory)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            os.write(write, json.dumps(failures(directory)).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return [(check, found, change) for check, found, change in json.loads(text)]


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_a_file_that_is_not_there_is_well_and_is_not_made(directory: Path) -> None:
    findings = look(URL, directory)
    assert bad(findings) == {}
    found = [finding.found for finding in findings]
    assert "it is not there yet, and this user can create it" in found
    assert "it is not there yet; the first use creates it" in found
    assert files(directory) == {}


@pytest.mark.parametrize("in_use", [False, True])
def test_a_file_that_is_well_is_left_as_it_is(directory: Path, in_use: bool) -> None:
    store = transport(URL, directory)
    store.setup()
    if not in_use:
        store.close()
    before = files(directory)
    assert ("messenger.db-wal" in before) == in_use
    findings = look(URL, directory)
    assert bad(findings) == {}
    found = [finding.found for finding in findings]
    assert "this user can write it; journal_mode is wal" in found
    assert "it has all its columns" in found
    assert files(directory).keys() == before.keys()
    assert files(directory)["messenger.db"] == before["messenger.db"]
    store.close()


def test_a_file_that_is_not_in_wal_mode_yet(directory: Path) -> None:
    set_up(directory, SYMFONY_COLUMNS)
    found = [finding.found for finding in look(URL, directory)]
    assert "this user can write it; the first use sets it to wal" in found
    assert "made by Doctrine; the first use adds lease_owner and delivery_count" in found


def test_a_missing_table_or_column_fails_where_nobody_may_create_it(directory: Path) -> None:
    dsn = f"{FAILED}&auto_setup=false"
    expected = ("there is no such table, and auto_setup is off", "messenger setup-transports")
    assert [(each.found, each.change) for each in bad(look(URL, directory, dsn)).values()] == [expected]
    (directory / "messenger.db").touch()
    assert [(each.found, each.change) for each in bad(look(URL, directory, dsn)).values()] == [expected]
    (directory / "messenger.db").unlink()
    set_up(directory, SYMFONY_COLUMNS)
    finding = bad(look(URL, directory, dsn))["sql-table"]
    assert finding.found == "it has no column lease_owner and delivery_count, and auto_setup is off"


def test_a_table_of_another_kind_fails(directory: Path) -> None:
    set_up(directory, "id INTEGER, body TEXT, sent_at TEXT")
    finding = bad(look(URL, directory))["sql-table"]
    assert (finding.level, finding.found) == (
        "fail",
        "it has no column headers, queue_name, created_at, available_at, delivered_at: it is no table of messages",
    )
    assert finding.where == "transport failed (table messenger_messages)"


def test_a_column_that_nobody_fills_fails(directory: Path) -> None:
    set_up(directory, f"{SYMFONY_COLUMNS}, tenant TEXT NOT NULL, note TEXT, kind TEXT NOT NULL DEFAULT ''")
    finding = bad(look(URL, directory))["sql-table"]
    assert finding.found == "column tenant must have a value, and nobody gives it one: nothing can be sent"


def test_messages_that_php_workers_hold(directory: Path) -> None:
    set_up(directory)
    with sqlite3.connect(directory / "messenger.db") as connection:
        connection.execute(TAKEN_BY_PHP)
    connection.close()
    check_what_php_holds(URL, directory)


def test_a_directory_that_cannot_be_written_fails(directory: Path) -> None:
    set_up(directory)
    directory.chmod(0o555)
    user = "nobody" if os.geteuid() == 0 else None
    ((check, found, change),) = failures_of_an_ordinary_user(directory)
    assert check == "sqlite-file"
    assert f"cannot write the directory {directory}, where SQLite keeps its journal" in found
    assert change.startswith(f"chown {user or ''}")


def test_no_directory_and_no_right_to_make_it_fails(directory: Path) -> None:
    directory.chmod(0o555)
    ((_, found, _),) = failures_of_an_ordinary_user(directory / "var" / "state")
    assert f"cannot write the directory {directory}," in found


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_a_file_that_cannot_be_written_fails(directory: Path, suffix: str) -> None:
    set_up(directory)
    path = directory / f"messenger.db{suffix}"
    (directory / "messenger.db").chmod(0o666)
    path.touch()
    path.chmod(0o444)
    directory.chmod(0o777)
    ((check, found, change),) = failures_of_an_ordinary_user(directory)
    assert check == "sqlite-file"
    assert f"cannot write {path}, which belongs to " in found
    assert str(path) in change


def test_a_file_that_only_the_operator_can_write_fails(directory: Path) -> None:
    """Root can write what the workers cannot; who is not root has no such file that could be written."""
    set_up(directory)
    path = directory / "messenger.db"
    path.chmod(0o400)
    if os.geteuid() == 0:
        os.chown(directory, NOBODY, NOBODY)
    ((check, found, change),) = failures(directory)
    assert check == "sqlite-file"
    assert str(path) in found
    assert change.startswith("chown ")
    if os.geteuid() == 0:
        assert found == f"{path} belongs to root and its directory to nobody, who cannot write it"


def test_what_is_no_database_fails(directory: Path) -> None:
    path = directory / "messenger.db"
    path.write_text("not a database, and long enough to be taken for one")
    assert bad(look(URL, directory))["sqlite-file"].found == "it is no SQLite database"
    path.unlink()
    path.mkdir()
    assert bad(look(URL, directory))["sqlite-file"].found == "it is a directory"


def test_a_damaged_file_fails(directory: Path) -> None:
    set_up(directory)
    path = directory / "messenger.db"
    path.write_bytes(path.read_bytes()[:100] + b"\xff" * 4000)
    finding = bad(look(URL, directory))["sqlite-file"]
    assert finding.found.startswith("it cannot be read: ")
    assert finding.change is not None
    assert "backup" in finding.change


def test_a_full_disk_fails_and_a_nearly_full_one_warns(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what the operating system would answer: no disk is filled for this."""
    real = os.statvfs(directory)
    for free, level in ((5, "fail"), (100, "warn"), (5000, "ok")):
        blocks = free * 1024**2 // real.f_frsize
        answer = os.statvfs_result((*real[:4], blocks, *real[5:10]))
        monkeypatch.setattr(os, "statvfs", lambda path, answer=answer: answer)
        (finding,) = check_disk(directory / "messenger.db")
        assert (finding.check, finding.level, finding.found[:4]) == ("sqlite-disk", level, f"{free} MiB"[:4])


def test_a_network_file_system_fails(directory: Path) -> None:
    """By a list of mounts: no network file system is mounted for this."""
    mounts = directory / "mounts"
    mounts.write_text(f"/dev/sda1 / ext4 rw 0 0\nserver:/share {directory} nfs4 rw 0 0\n/dev/sdb1 /srv ext4 rw 0 0\n")
    (finding,) = check_disk(directory / "var" / "messenger.db", mounts)
    assert (finding.level, finding.found[:35]) == ("fail", "it is a network file system (nfs4),")
    mounts.write_text("server:/share / nfs4 rw 0 0\n/dev/sda1 / ext4 rw 0 0\n")  # what is mounted later covers it
    (finding,) = check_disk(directory / "messenger.db", mounts)
    assert finding.level == "ok"
