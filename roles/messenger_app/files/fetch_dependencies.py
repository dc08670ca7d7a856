"""Fetch a wheel of everything in a lock file, for the Python and platform of a host. Reads one JSON document.

in: lock, archive, index_url, host (what module messenger.kit.host_info says), source_distributions, build_lock, cache
Writes ARCHIVE, a tar file of wheels, unless it is there, and prints a JSON document with its path. Hashes are compared
with the lock file here. A package without a wheel is built here from its source distribution if its name is in
source_distributions, and else refused.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from build_wheels import pack
from commands import Problem, scrub
from index_source import download_wheel, hint
from lock_file import Locked, read_lock
from package_index import fetch_sdist
from packaging.utils import canonicalize_name, parse_wheel_filename
from wheel_builder import WheelBuilder

OLDEST_GLIBC = 5  # manylinux1


def alike(host: dict[str, Any]) -> bool:
    """Whether what is built here runs on HOST."""
    ours = glibc(os.confstr("CS_GNU_LIBC_VERSION") or "")
    return bool(host["soabi"] == sysconfig.get_config_var("SOABI") and 0 < ours <= glibc(host["libc"]))


def glibc(said: str) -> int:
    """36 for `glibc 2.36`, 0 for another libc."""
    match = re.fullmatch(r"glibc 2\.(\d+)", said)
    return int(match[1]) if match else 0


def platform_of(host: dict[str, Any]) -> list[str]:
    """Return pip's options for the Python and platform of HOST; none where they are this machine's."""
    if alike(host):
        return []
    version = host["python"].replace(".", "")
    machine = host["markers"]["platform_machine"]
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(glibc(host["libc"]), OLDEST_GLIBC - 1, -1)]
    words = ["--implementation", "cp", "--python-version", version, "--abi", f"cp{version}"]
    for platform in [*platforms, f"manylinux2014_{machine}", f"linux_{machine}"]:
        words += ["--platform", platform]
    return words


class Fetcher:
    """Gets the wheels of a lock file for one kind of host."""

    def __init__(self, asked: dict[str, Any], target: Path) -> None:
        self.host = asked["host"]
        self.index_url = asked["index_url"]
        self.allowed = {canonicalize_name(name) for name in asked["source_distributions"]}
        self.builder = WheelBuilder(asked["build_lock"], Path(asked["cache"]), asked["index_url"])
        self.target = target

    def fetch(self, packages: list[Locked], options: list[str]) -> None:
        """Put the wheels of PACKAGES into the target. Markers hold for the host, not for the Python that runs this."""
        markers = self.host["markers"]
        needed = [
            each for each in packages if each.requirement.marker is None or each.requirement.marker.evaluate(markers)
        ]
        wheels = [each for each in needed if each.name not in self.allowed]
        try:
            self.download(wheels, options)
        except Problem as problem:
            missing = re.search(r"No matching distribution found for ([A-Za-z0-9._-]+)", str(problem))
            raise Problem(f"{problem}{hint(str(problem), missing[1]) if missing else ''}{self.unlike()}") from None
        for package in needed:
            if package.name in self.allowed:
                try:
                    self.download([package], options)
                except Problem:
                    self.build(package)

    def download(self, packages: list[Locked], options: list[str]) -> None:
        """Have pip fetch wheels."""
        if packages:
            lines = [*options, *(each.line for each in packages)]
            download_wheel(lines, True, self.index_url, self.target, platform_of(self.host))

    def build(self, package: Locked) -> None:
        """Build the wheel of PACKAGE from its source distribution."""
        with tempfile.TemporaryDirectory() as directory:
            source = fetch_sdist(package.name, package.version, package.hashes, self.index_url, Path(directory))
            wheel = self.builder.build(source, Path(directory, "wheel"))
            tags = parse_wheel_filename(wheel.name)[3]
            if not alike(self.host) and not any((tag.abi, tag.platform) == ("none", "any") for tag in tags):
                raise Problem(f"{package.name} {package.version} has compiled parts{self.unlike()}")
            (self.target / wheel.name).write_bytes(wheel.read_bytes())

    def unlike(self) -> str:
        """Return why there may be no wheel, where the controller and the host are not alike."""
        if alike(self.host):
            return ""
        return (
            f" (no wheel for Python {self.host['python']} on {self.host['libc']}, and a controller of another kind"
            " cannot build one: run Ansible on a machine like the hosts, or let them fetch it)"
        )


def main() -> None:
    """Write the archive."""
    asked = json.load(sys.stdin)
    archive = Path(asked["archive"])
    archive.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        # Several hosts ask at once for the same.
        with (archive.parent / "lock").open("w") as lock, tempfile.TemporaryDirectory() as directory:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not archive.exists():
                Fetcher(asked, Path(directory)).fetch(*read_lock(Path(asked["lock"])))
                pack(archive, {file.name: file for file in Path(directory).glob("*.whl")})
    except (Problem, OSError) as problem:
        sys.exit(scrub(" ".join(f"requirements.lock cannot be shipped: {problem}".split())))
    print(json.dumps({"archive": str(archive)}))


if __name__ == "__main__":
    main()
