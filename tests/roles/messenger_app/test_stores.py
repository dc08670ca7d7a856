"""What backup.yml and restore.yml do with SQLite stores where the application's user may write."""

from __future__ import annotations

import getpass
import os
import pwd
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.modules import MODULES, USER, answer_of, python_that_says

STORES = MODULES / "sqlite_stores.py"


def make_store(path: Path, text: str = "kept", mode: int = 0o644, journal: str = "WAL") -> None:
    """A store of the application's user."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA journal_mode={journal}")
        connection.execute("CREATE TABLE messages (text)")
        connection.execute("INSERT INTO messages VALUES (?)", (text,))
        connection.commit()
    give(path, mode)


def give(path: Path, mode: int = 0o644) -> None:
    if os.geteuid() == 0:
        user = pwd.getpwnam(USER)
        os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
    path.chmod(mode)


def text_of(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        (text,) = connection.execute("SELECT text FROM messages").fetchone()
    return str(text)


@pytest.fixture
def var(host_root: Path) -> Path:
    return host_root / "shared/var"


def copy(root: Path, copies: Path, **more: Any) -> dict[str, Any]:
    asked = {"root": str(root), "user": USER, "copies": str(copies), "owner": getpass.getuser()}
    return answer_of(STORES, asked | more)


def test_every_store_is_copied(host_root: Path, var: Path, tmp_path: Path) -> None:
    make_store(var / "failed.sqlite", mode=0o600)
    make_store(var / "other.db", "other", journal="DELETE")
    (var / "sms.txt").write_text("no store")
    found = copy(host_root, tmp_path)
    assert [row["store"] for row in found["copied"]] == ["failed.sqlite", "other.db"]
    assert [text_of(tmp_path / name) for name in ("failed.sqlite", "other.db")] == ["kept", "other"]
    assert {oct(path.stat().st_mode) for path in tmp_path.iterdir()} == {"0o100600"}
    assert not list(Path("/var/tmp").glob("messenger-kit-*/copy"))


def test_what_root_alone_can_read_is_not_copied(host_root: Path, var: Path, tmp_path: Path) -> None:
    """Nor what a link leads to, even where the user may read it; nothing special is waited for."""
    for name, mode in (("of-another", 0o600), ("readable", 0o644)):
        make_store(host_root / name)
        os.chown(host_root / name, os.geteuid(), os.getegid())
        (host_root / name).chmod(mode)
        (var / f"{name}.sqlite").symlink_to(host_root / name)
    os.mkfifo(var / "fifo.sqlite")
    with (var / "giant.sqlite").open("wb") as giant:
        giant.truncate(2**42)
    (var / "directory.sqlite").mkdir()
    found = copy(host_root, tmp_path)
    assert (found["copied"], list(tmp_path.iterdir())) == ([], [])


def test_a_store_that_is_too_large_is_refused_before_it_is_read(host_root: Path, var: Path, tmp_path: Path) -> None:
    make_store(var / "giant.sqlite")
    with (var / "giant.sqlite").open("r+b") as giant:
        giant.truncate(2**42)
    said = copy(host_root, tmp_path)["msg"]
    assert "4194304 MB, and 2048 MB are allowed (messenger_app_backup_megabytes)" in said
    assert said.endswith("the largest is giant.sqlite")
    assert not list(tmp_path.iterdir())


def test_a_damaged_store_is_said(host_root: Path, var: Path, tmp_path: Path) -> None:
    make_store(var / "failed.sqlite", journal="DELETE")
    with (var / "failed.sqlite").open("r+b") as file:
        file.seek(100)
        file.write(b"x" * 5000)
    assert copy(host_root, tmp_path)["msg"].startswith("failed.sqlite: ")


def test_what_only_begins_like_a_store_is_named_and_holds_nothing_up(
    host_root: Path, var: Path, tmp_path: Path
) -> None:
    with (var / "giant.sqlite").open("wb") as giant:
        giant.write(b"SQLite format 3\0and no more")
        giant.truncate(2**42)
    give(var / "giant.sqlite")
    make_store(var / "failed.sqlite")
    found = copy(host_root, tmp_path)
    assert ([row["store"] for row in found["copied"]], found["odd"]) == (["failed.sqlite"], ["giant.sqlite"])


def test_odd_names_are_named_and_left_out(host_root: Path, var: Path, tmp_path: Path) -> None:
    make_store(var / "a\x1b[2J\nb.sqlite")
    make_store(var / "failed.sqlite")
    found = copy(host_root, tmp_path)
    assert [row["store"] for row in found["copied"]] == ["failed.sqlite"]
    assert found["odd"] == [r"a\x1b[2J\nb.sqlite"]


@pytest.mark.parametrize(
    "said",
    [
        """print('{"stores": {"../../../etc/x": 1}}')""",
        """print('{"stores": {"x": -5}}')""",
        "print('nothing')",
        """import sys; print('{"stores": {"x": 1}}' if sys.argv[1] == 'list' else 'x' * 5000)""",
        """import sys; print('{"stores": {"x": 1}}' if sys.argv[1] == 'list' else '{"size": 9, "sha256": "0"}')""",
    ],
)
def test_whatever_that_user_answers_nothing_is_taken_for_a_copy(host_root: Path, tmp_path: Path, said: str) -> None:
    found = copy(host_root, tmp_path, python=python_that_says(host_root, said))
    assert found["failed"] is True
    assert len(found["msg"].splitlines()) == 1


def replace(root: Path, source: Path, *names: str) -> dict[str, Any]:
    asked = {"root": str(root), "user": USER, "source": str(source), "replace": list(names), "aside": "before-1"}
    return answer_of(STORES, asked)


def test_stores_are_replaced_and_kept_aside(host_root: Path, var: Path, tmp_path: Path) -> None:
    make_store(var / "failed.sqlite", "old", journal="DELETE")
    (var / "failed.sqlite-wal").write_text("of the old one")
    make_store(tmp_path / "failed.sqlite", "new", journal="DELETE")
    (tmp_path / "failed.sqlite").chmod(0o600)
    assert replace(host_root, tmp_path, "failed.sqlite")["changed"] is True
    assert text_of(var / "failed.sqlite") == "new"
    assert text_of(var / "before-1/failed.sqlite") == "old"
    assert sorted(path.name for path in var.iterdir()) == ["before-1", "failed.sqlite"]
    found = (var / "failed.sqlite").stat()
    assert (found.st_uid, oct(found.st_mode)) == (pwd.getpwnam(USER).pw_uid, "0o100640")


def test_nothing_is_written_through_a_link(host_root: Path, var: Path, tmp_path: Path) -> None:
    outside = host_root / "outside"
    outside.mkdir()
    (outside / "victim").write_text("as it was")
    (var / "failed.sqlite").symlink_to(outside / "victim")
    (var / ".failed.sqlite.unfinished").mkdir()
    make_store(tmp_path / "failed.sqlite", "new", journal="DELETE")
    replace(host_root, tmp_path, "failed.sqlite")
    assert (outside / "victim").read_text() == "as it was"
    assert text_of(var / "failed.sqlite") == "new"
    (var / "before-1").rename(var / "gone")
    (var / "before-1").symlink_to(outside)
    assert "before-1" not in replace(host_root, tmp_path, "failed.sqlite").get("changed", "")
    assert [path.name for path in outside.iterdir()] == ["victim"]
