"""Build what a release is made of on the controller, and put it into one file. Reads one JSON document.

in: kit, path, config_dir, work, isolation
Writes WORK/release.tar with wheels/ (messenger-kit and the application), requirements.lock and messenger.yaml. The
wheel of messenger-kit is built again only when the kit changed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from fingerprint import fingerprint

CONFIG = ("requirements.lock", "messenger.yaml")


def build(source: Path, target: Path, isolation: bool) -> None:
    """Build the wheel of the directory SOURCE into TARGET."""
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(target), str(source)]
    ran = subprocess.run(
        command + ([] if isolation else ["--no-isolation"]),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"NO_COLOR": "1"},
    )
    if ran.returncode != 0:
        lines = [line for line in ran.stdout.splitlines() if line.strip()]
        sys.exit(f"{source} could not be built: {lines[-1] if lines else 'no reason given'}")


def build_application(path: Path, wheels: Path, isolation: bool) -> None:
    """The wheel of a directory or an sdist; a wheel is taken as it is."""
    if path.is_dir():
        build(path, wheels, isolation)
    elif path.suffix == ".whl":
        shutil.copy(path, wheels)
    else:
        with tempfile.TemporaryDirectory() as directory:
            with tarfile.open(path) as tar:
                tar.extractall(directory, filter="data")
            build(next(Path(directory).iterdir()), wheels, isolation)


def kit_wheel(kit: Path, cache: Path) -> Path:
    """The wheel of messenger-kit as it is now."""
    directory = cache / f"kit-{fingerprint([kit / 'src', kit / 'pyproject.toml'])}"
    if not list(directory.glob("*.whl")):
        for old in cache.glob("kit-*"):
            shutil.rmtree(old, ignore_errors=True)
        build(kit, directory, isolation=False)
    return next(directory.glob("*.whl"))


def bare(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """MEMBER without what is this machine's, so that the same files make the same archive."""
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    member.mode = 0o644
    return member


def pack(archive: Path, files: dict[str, Path]) -> None:
    """Write ARCHIVE with FILES under their names, whole or not at all."""
    unfinished = archive.with_name(f"{archive.name}.unfinished")
    with tarfile.open(unfinished, "w") as tar:
        for name, file in files.items():
            tar.add(file, name, filter=bare)
    unfinished.replace(archive)


def main() -> None:
    asked = json.load(sys.stdin)
    work, path, config = Path(asked["work"]), Path(asked["path"]), Path(asked["config_dir"])
    wheels = work / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    wheels.mkdir(mode=0o700, parents=True)
    shutil.copy(kit_wheel(Path(asked["kit"]).resolve(), work), wheels)
    build_application(path, wheels, asked["isolation"])
    packed = {f"wheels/{file.name}": file for file in sorted(wheels.glob("*.whl"))}
    pack(work / "release.tar", packed | {name: config / name for name in CONFIG})


if __name__ == "__main__":
    main()
