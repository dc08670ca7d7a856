"""Build what a release is made of on the controller, and put it into one file. Reads one JSON document and prints
another.

in:  kit, path, config_dir, work, cache, build_lock, index_url
out: fingerprint, archive, config_dir; or problem

ARCHIVE is WORK/FINGERPRINT/release.tar, with wheels/ (messenger-kit and the application), requirements.lock,
messenger.yaml and sbom.cdx.json. The fingerprint is of the first three: whatever of the source does not reach a host
does not count, and everything that does counts. CONFIG_DIR holds the files that are in the archive.
"""

from __future__ import annotations

import json
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from commands import Problem, forget_old, scrub
from cyclonedx_json import application_sbom
from fingerprint import fingerprint
from lock_file import read_lock
from wheel_builder import WheelBuilder

CONFIG = ("requirements.lock", "messenger.yaml")
SBOM = "sbom.cdx.json"


def bare(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return MEMBER without what is this machine's, so that the same files make the same archive."""
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    member.mode = 0o644
    return member


def pack(archive: Path, files: dict[str, Path]) -> None:
    """Write ARCHIVE with FILES under their names, whole or not at all."""
    with tempfile.TemporaryDirectory(dir=archive.parent) as directory:
        unfinished = Path(directory, archive.name)
        with tarfile.open(unfinished, "w", dereference=True) as tar:
            for name, file in sorted(files.items()):
                tar.add(file, name, filter=bare)
        unfinished.replace(archive)


def build(asked: dict[str, Any], work: Path) -> dict[str, str]:
    """Build the wheels, and put the release together below WORK.

    Returns:
        Its fingerprint, its archive, and the directory with its configuration files.

    Raises:
        Problem: A wheel cannot be built.
    """
    with tempfile.TemporaryDirectory(dir=work) as directory:
        fresh = Path(directory)
        builder = WheelBuilder(asked["build_lock"], Path(asked["cache"]), asked["index_url"])
        kit = WheelBuilder("", Path(asked["cache"]), "").build(Path(asked["kit"]).resolve(), fresh / "kit")
        path = Path(asked["path"])
        if path.suffix == ".whl":
            wheel = fresh / path.name
            wheel.write_bytes(path.read_bytes())
        else:
            wheel = builder.build(path, fresh / "application")
        for name in CONFIG:
            (fresh / name).write_bytes(Path(asked["config_dir"], name).read_bytes())
        files = {f"wheels/{each.name}": each for each in (kit, wheel)} | {name: fresh / name for name in CONFIG}
        shipped = fingerprint(files.items())
        packages, _ = read_lock(fresh / "requirements.lock")
        (fresh / SBOM).write_text(application_sbom(wheel, kit, packages))
        final = work / shipped
        final.mkdir(mode=0o700, exist_ok=True)
        for name in CONFIG:
            (fresh / name).replace(final / name)
        pack(final / "release.tar", files | {name: final / name for name in CONFIG} | {SBOM: fresh / SBOM})
    return {"fingerprint": shipped, "archive": str(final / "release.tar"), "config_dir": str(final)}


def main() -> None:
    """Answer what was asked."""
    asked = json.load(sys.stdin)
    work = Path(asked["work"])
    try:
        work.mkdir(mode=0o700, parents=True, exist_ok=True)
        answer = build(asked, work)
        forget_old([each for each in work.iterdir() if each.is_dir()], Path(answer["config_dir"]))
    except (Problem, OSError) as problem:
        answer = {"problem": scrub(" ".join(str(problem).split()))}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
