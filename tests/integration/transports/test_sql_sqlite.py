"""The SQLite file: who can read it, who waits for whom, and files that cannot be used."""

from __future__ import annotations

import os
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from messenger.errors import TransportError, TransportUnavailable
from messenger.transports.base import Transport
from tests.integration.transports.stores import Store, listed, number_envelope, order_number, sqlite_store


def database_file(store: Store) -> Path:
    return store.state_dir / "messenger.db"


def numbers_in(transport: Transport) -> list[int]:
    return [order_number(envelope) for envelope in listed(transport)]


def test_only_the_owner_can_read_the_messages(sqlite: Store) -> None:
    before = os.umask(0)
    try:
        sqlite.open().send(number_envelope(1))
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in sqlite.state_dir.iterdir()}
    assert modes == {
        "messenger.db": 0o600,
        "messenger.db-wal": 0o600,
        "messenger.db-shm": 0o600,
        "messenger.db-reserve": 0o600,
    }
    assert stat.S_IMODE(sqlite.state_dir.stat().st_mode) == 0o700


def test_what_root_creates_belongs_to_the_owner_of_the_directory(sqlite: Store) -> None:
    sqlite.state_dir.mkdir()
    owner = 65534 if os.geteuid() == 0 else os.geteuid()  # others cannot give a directory away
    os.chown(sqlite.state_dir, owner, -1)
    sqlite.open().send(number_envelope(1))
    assert {path.stat().st_uid for path in sqlite.state_dir.iterdir()} == {owner}


def test_permissions_an_operator_chose_are_left_alone(sqlite: Store) -> None:
    sqlite.open().setup()
    sqlite.close()
    database_file(sqlite).chmod(0o640)
    sqlite.open().send(number_envelope(1))
    assert stat.S_IMODE(database_file(sqlite).stat().st_mode) == 0o640


def test_a_writer_waits_for_another_and_readers_wait_for_nobody(sqlite: Store) -> None:
    transport, reader = sqlite.open(), sqlite.open()
    transport.send(number_envelope(1))
    other = sqlite3.connect(database_file(sqlite), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(transport.send, number_envelope(2))
        assert reader.depth().ready == 1
        assert numbers_in(reader) == [1]
        assert not sending.done()
        other.execute("COMMIT")
        sending.result(20)
    other.close()
    assert numbers_in(reader) == [1, 2]


def test_a_new_file_that_another_process_is_writing_is_waited_for(sqlite: Store) -> None:
    sqlite.state_dir.mkdir()
    other = sqlite3.connect(database_file(sqlite), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # the file is not in WAL mode yet: to switch, the transport needs it alone
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(sqlite.open().send, number_envelope(1))
        assert not wait([sending], 0.5).done
        other.execute("COMMIT")
        sending.result(20)
    other.close()


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    transport = sqlite_store(tmp_path / "file" / "state").open()
    with pytest.raises(TransportUnavailable, match="messenger.db: Not a directory"):
        transport.send(number_envelope(1))


def test_a_file_that_is_no_database_is_named_and_not_touched(sqlite: Store) -> None:
    sqlite.state_dir.mkdir()
    database_file(sqlite).write_text("these are my notes, not a database\n" * 10)
    with pytest.raises(TransportError, match="messenger.db: file is not a database"):
        sqlite.open().send(number_envelope(1))
    assert database_file(sqlite).read_text().startswith("these are my notes")
