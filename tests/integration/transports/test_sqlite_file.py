"""The SQLite file under running processes: moved, deleted, unreadable for a while, or on a full disk."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from messenger.envelope import Envelope
from messenger.errors import TransportUnavailable
from messenger.transports.base import Transport
from tests.integration.transports.stores import Order, Store, number_envelope, order_number, sqlite_store, take

MESSAGE_BYTES = (3_000, 60_000, 200_000)
FILES = ("messenger.db", "messenger.db-wal", "messenger.db-shm")


@pytest.fixture
def used(sqlite: Store) -> Transport:
    """A transport whose process has the file open."""
    transport = sqlite.open()
    transport.send(number_envelope(1))
    return transport


@pytest.mark.parametrize("files", [FILES, FILES[:1]])
@pytest.mark.parametrize("moved", [True, False])
def test_a_file_that_was_moved_or_deleted_takes_no_message(
    sqlite: Store, used: Transport, moved: bool, files: tuple[str, ...]
) -> None:
    aside = sqlite.state_dir / "aside"
    aside.mkdir()
    for name in files:
        path = sqlite.state_dir / name
        path.rename(aside / name) if moved else path.unlink()
    with pytest.raises(TransportUnavailable, match=r"moved, deleted or replaced .* nothing was done"):
        used.send(number_envelope(2))
    if files == FILES:
        used.send(number_envelope(3))  # into a new file, where the workers look
        assert order_number(take(sqlite.open())) == 3
    else:
        with pytest.raises(TransportUnavailable, match=r"messenger.db-wal is, with messages in it"):
            used.send(number_envelope(3))
        assert not (sqlite.state_dir / "messenger.db").exists()


def test_a_file_that_another_took_the_place_of_is_left(sqlite: Store, used: Transport, tmp_path: Path) -> None:
    other = sqlite_store(tmp_path / "other")
    other.open().send(number_envelope(7))
    other.close()
    for name in FILES[1:]:
        (sqlite.state_dir / name).unlink()
    os.replace(other.state_dir / "messenger.db", sqlite.state_dir / "messenger.db")
    with pytest.raises(TransportUnavailable, match="replaced"):
        used.depth()
    assert order_number(take(used)) == 7


def test_a_file_that_was_no_database_for_a_while_is_read_again(sqlite: Store, used: Transport) -> None:
    used.close()
    path = sqlite.state_dir / "messenger.db"
    content = path.read_bytes()
    reader = sqlite.open()
    assert reader.depth().ready == 1
    path.write_bytes(b"x" * len(content))
    with pytest.raises(TransportUnavailable):
        sqlite.open().depth()
    path.write_bytes(content)
    assert used.depth().ready == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB."""
    if os.geteuid() != 0:
        pytest.fail("to mount a small disk this test needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount("size=4m", disk)
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def mount(options: str, directory: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", directory], check=True)


def test_a_file_that_can_be_written_again_is(small_disk: Path, tmp_path: Path) -> None:
    """A connection that is opened while the file can only be read can only read, for as long as it lives."""
    other = sqlite_store(small_disk)
    other.open().send(number_envelope(1))
    view = tmp_path / "view"
    view.mkdir()
    subprocess.run(["mount", "--bind", small_disk, view], check=True)
    try:
        mount("remount,bind,ro", view)
        store = sqlite_store(view)
        transport = store.open()
        assert transport.depth().ready == 1
        with pytest.raises(TransportUnavailable, match="readonly"):
            transport.send(number_envelope(2))
        mount("remount,bind,rw", view)
        transport.send(number_envelope(3))
        assert transport.depth().ready == 2
        store.close()
    finally:
        other.close()
        subprocess.run(["umount", "--lazy", view], check=True)


@pytest.mark.parametrize("by", ["messages", "others"])
@pytest.mark.parametrize("size", MESSAGE_BYTES)
def test_a_full_disk_can_be_drained(small_disk: Path, size: int, by: str) -> None:
    store = sqlite_store(small_disk)
    sender, sent = store.open(), 0
    try:
        while by == "messages" or sent < 5:
            sender.send(Envelope(Order(sent, "x" * size)))
            sent += 1
    except TransportUnavailable:
        pass
    if by == "others":
        fill(small_disk / "log of something else")
    worker = store.open()
    for number in range(sent):
        taken = take(worker)
        assert order_number(taken) == number
        worker.ack(taken)
    assert worker.depth().ready == 0
    sender.send(number_envelope(1))
    store.close()


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            return


def test_the_log_is_bounded(sqlite: Store, used: Transport) -> None:
    reader = sqlite.open()
    reader.depth()
    for number in range(300):
        used.send(Envelope(Order(number, "x" * 10_000)))
    assert (sqlite.state_dir / "messenger.db-wal").stat().st_size < 2 * 1024**2
