"""Fetch the application from a package index: NAME==VERSION, with the hashes it must have."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from commands import Problem, run
from lock_file import HASH
from package_index import fetch_sdist
from packaging.utils import canonicalize_name

NAME = r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(\[[A-Za-z0-9,._ -]*\])?==(?P<version>[A-Za-z0-9.!+_-]+)"
PINNED = re.compile(rf"{NAME}(?P<options>(\s+--hash[= ]\S+)*)\s*")


class Pinned(NamedTuple):
    """NAME==VERSION --hash=sha256:… in its parts."""

    requirement: str
    name: str
    version: str
    hashes: tuple[str, ...]

    @classmethod
    def of(cls, source: str) -> Pinned | None:
        """Take SOURCE apart; None if it is something else.

        Raises:
            Problem: A hash is none.
        """
        match = PINNED.fullmatch(source.strip())
        if match is None:
            return None
        options = re.findall(r"--hash[= ]\S+", match["options"])
        hashes = [found[1] for option in options if (found := HASH.fullmatch(option))]
        if len(hashes) != len(options):
            raise Problem(f"messenger_app_source: {source} has a hash that is none: --hash=sha256:64 hex digits")
        requirement = source.strip().removesuffix(match["options"]).strip()
        return cls(requirement, match["name"], match["version"], tuple(hashes))


def download_wheel(requirements: list[str], hashed: bool, index_url: str, target: Path, platform: list[str]) -> None:
    """Have pip download a wheel of each of REQUIREMENTS (lines as in a lock file) into TARGET.

    Nothing of a package is run: what has no wheel is refused.

    Args:
        requirements: Lines of a requirements file.
        hashed: Whether each must have a hash.
        index_url: The index; empty for pip's own.
        target: Directory for the wheels.
        platform: pip's options for another Python or platform than this one.

    Raises:
        Problem: The text is pip's last error.
    """
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "requirements.txt")
        file.write_text("\n".join(requirements) + "\n")
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]
        words = ["download", "--no-deps", "--only-binary", ":all:", *platform, "--dest", str(target)]
        words += ["--require-hashes"] if hashed else []
        environment = os.environ | ({"PIP_INDEX_URL": index_url} if index_url else {})
        run(*pip, *words, "--requirement", str(file), environment=environment)


def fetch_version(wanted: Pinned, index_url: str, allowed: list[str], cache: Path) -> Path:
    """Fetch the wheel of WANTED, or its source distribution where its name is in ALLOWED.

    Raises:
        Problem: There is none, it has another hash, or it is a source distribution that is not allowed.
    """
    directory = cache / "index" / re.sub(r"[^A-Za-z0-9._-]", "-", wanted.requirement)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    by_name = canonicalize_name(wanted.name) in {canonicalize_name(each) for each in allowed}
    with tempfile.TemporaryDirectory(dir=directory) as fresh:
        line = " ".join([wanted.requirement, *(f"--hash={each}" for each in wanted.hashes)])
        try:
            download_wheel([line], bool(wanted.hashes), index_url, Path(fresh), [])
            (file,) = Path(fresh).iterdir()
        except Problem as problem:
            if not by_name:
                raise Problem(f"{wanted.requirement}: {problem}{hint(str(problem), wanted.name)}") from None
            if not wanted.hashes:
                raise Problem(
                    f"{wanted.requirement} has no wheel, and a source distribution needs a hash:"
                    f" messenger_app_source: {wanted.requirement} --hash=sha256:…"
                ) from None
            file = fetch_sdist(wanted.name, wanted.version, wanted.hashes, index_url, Path(fresh))
        return file.replace(directory / file.name)


def hint(problem: str, name: str) -> str:
    """Return what else may be wrong where pip found no wheel of NAME."""
    if "No matching distribution" not in problem:
        return ""
    return (
        f" (only wheels are taken; where you trust the build of its source distribution, name it:"
        f" messenger_app_source_distributions: [{canonicalize_name(name)}])"
    )
