"""Lists, copies and replaces the SQLite stores in a directory. Runs as the user to whom it belongs.

Needs nothing but Python, so that its source can run as the application's user: python -I -c SOURCE ACTION DIRECTORY …
Prints a JSON object, with `problem` when it failed. After that of `copy` come the bytes of the copy.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import secrets
import sqlite3
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

MAGIC, HEADER_BYTES = b"SQLite format 3\0", 100
PAGE_BYTES = {1, *(2**power for power in range(9, 16))}  # 1 is 65536
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
SIDE_FILES = ("", "-wal", "-shm", "-journal")
MOST_STORES = 100
CHUNK_BYTES = 2**20


class Problem(Exception):
    """What cannot be done, for people."""


@contextmanager
def opened(directory: str) -> Iterator[int]:
    """A descriptor of DIRECTORY, which is no link."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def size_of_store(directory: int, name: str) -> int | None:
    """Bytes of the plain file NAME that begins like a store; 0 where its header is broken, None for any other file."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
    except OSError:
        return None
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        header = file.read(HEADER_BYTES) if stat.S_ISREG(found.st_mode) else b""
    if not header.startswith(MAGIC):
        return None
    return found.st_size if is_sound(header) else 0


def is_sound(header: bytes) -> bool:
    """Whether a header has a size of pages that there is, and the constants that SQLite requires."""
    page = int.from_bytes(header[16:18], "big")
    return len(header) == HEADER_BYTES and page in PAGE_BYTES and header[21:24] == b"\x40\x20\x20"


def listed(path: str) -> dict[str, Any]:
    """The stores, with their sizes; and the names of those that cannot be copied."""
    stores, odd = {}, []
    with opened(path) as directory, os.scandir(directory) as entries:
        for entry in entries:
            size = size_of_store(directory, entry.name) if entry.is_file(follow_symlinks=False) else None
            if size and NAME.fullmatch(entry.name):
                stores[entry.name] = size
            elif size is not None and len(odd) < MOST_STORES:
                odd.append(os.fsencode(entry.name).decode(errors="replace"))
            if len(stores) > MOST_STORES:
                raise Problem(f"more than {MOST_STORES} SQLite stores are in {path}")
    return {"stores": stores, "odd": odd}


def copy(path: str, name: str, most: int) -> None:
    """Print a whole copy, also while workers write to the store. What is in its journal is in the copy, too."""
    with opened(path) as directory:
        if not size_of_store(directory, name):
            raise Problem(f"{name} is no SQLite store any more")
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    with tempfile.TemporaryDirectory(prefix="messenger-kit-", dir="/var/tmp") as scratch:
        target = Path(scratch, "copy")
        uri = f"file:{quote(os.path.join(path, name))}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=30)) as source, closing(sqlite3.connect(target)) as made:
            source.backup(made)
            made.execute("PRAGMA journal_mode=DELETE")
            (said,) = made.execute("PRAGMA integrity_check(1)").fetchone()
        if said != "ok":
            raise Problem(f"{name} is damaged: {said}")
        with target.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            say({"size": os.fstat(file.fileno()).st_size, "sha256": digest})
            file.seek(0)
            while data := file.read(CHUNK_BYTES):
                sys.stdout.buffer.write(data)


def replace(path: str, name: str, aside: str) -> dict[str, Any]:
    """Put standard input into the place of the store, which is kept in the directory ASIDE beside it."""
    # A name that nothing can stand in the way of
    digest, unfinished = hashlib.sha256(), f".{name}.{secrets.token_hex(8)}"
    with opened(path) as directory:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with open(os.open(unfinished, flags, 0o640, dir_fd=directory), "wb") as file:
            os.fchmod(file.fileno(), 0o640)
            while data := sys.stdin.buffer.read(CHUNK_BYTES):
                digest.update(data)
                file.write(data)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.mkdir(aside, 0o700, dir_fd=directory)
        kept = os.open(aside, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
        for old in (f"{name}{end}" for end in SIDE_FILES):
            with suppress(FileNotFoundError):
                os.rename(old, old, src_dir_fd=directory, dst_dir_fd=kept)
        os.close(kept)
        os.rename(unfinished, name, src_dir_fd=directory, dst_dir_fd=directory)
    return {"sha256": digest.hexdigest()}


def say(answer: dict[str, Any]) -> None:
    """Print ANSWER as one line."""
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
    sys.stdout.buffer.flush()


def main(action: str, path: str, *words: str) -> None:
    """Do it, and say what became of it."""
    try:
        if action == "copy":
            copy(path, words[0], int(words[1]))
        else:
            say(listed(path) if action == "list" else replace(path, words[0], words[1]))
    except (Problem, OSError, sqlite3.Error) as error:
        say({"problem": f"{words[0] if words else path}: {error}"})


if __name__ == "__main__":
    main(*sys.argv[1:])
