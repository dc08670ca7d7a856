"""Put files into one tar archive: pack.py ARCHIVE NAME=FILE…

A NAME that ends in / takes all files of the directory FILE. What is packed has no owner and no time, so that the same
files make the same archive.
"""

from __future__ import annotations

import os
import sys
import tarfile
from pathlib import Path


def bare(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """MEMBER without what is this machine's."""
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    member.mode = 0o644
    return member


def pack(archive: Path, wanted: dict[str, Path]) -> None:
    """Write ARCHIVE, whole or not at all."""
    unfinished = archive.with_name(f"{archive.name}.{os.getpid()}")
    with tarfile.open(unfinished, "w") as tar:
        for name, source in wanted.items():
            for file in sorted(source.iterdir()) if name.endswith("/") else [source]:
                tar.add(file, name + file.name if name.endswith("/") else name, filter=bare)
    unfinished.replace(archive)


if __name__ == "__main__":
    pack(Path(sys.argv[1]), {name: Path(file) for name, file in (word.split("=", 1) for word in sys.argv[2:])})
