"""Fetch a wheel of everything in a lock file, for the Python and platform of a host. Reads one JSON document.

in: lock, archive, index_url, host (what the module messenger_app_look says)
Writes ARCHIVE, a tar file of wheels, unless it is there. Hashes are compared with the lock file here. Where the
controller has the same Python and platform, a package without a wheel is built; elsewhere it is refused.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from build_wheels import pack
from packaging.requirements import InvalidRequirement, Requirement

OLDEST_GLIBC = 5  # manylinux1


def wanted(lock: str, markers: dict[str, str]) -> list[str]:
    """The lines of LOCK that hold for MARKERS. pip would judge them by the Python that it runs with."""
    found = []
    for line in re.sub(r"\\\n", " ", lock).splitlines():
        entry = re.sub(r"(^|\s)#.*", "", line).strip()
        if not entry:
            continue
        text, *hashes = re.split(r"\s+(?=--hash)", entry)
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            sys.exit(f"requirements.lock: {text!r} is no pinned package; it cannot be shipped")
        if requirement.marker is None or requirement.marker.evaluate(markers):
            requirement.marker = None
            found.append(" ".join([str(requirement), *hashes]))
    return found


def alike(host: dict[str, Any]) -> bool:
    """Whether what is built here runs on HOST."""
    ours = glibc(os.confstr("CS_GNU_LIBC_VERSION") or "")
    return bool(host["soabi"] == sysconfig.get_config_var("SOABI") and 0 < ours <= glibc(host["libc"]))


def glibc(said: str) -> int:
    """36 for `glibc 2.36`, 0 for another libc."""
    match = re.fullmatch(r"glibc 2\.(\d+)", said)
    return int(match[1]) if match else 0


def command(host: dict[str, Any]) -> list[str]:
    """How pip gets wheels for HOST."""
    if alike(host):
        return ["wheel", "--wheel-dir"]
    version = host["python"].replace(".", "")
    machine = host["markers"]["platform_machine"]
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(glibc(host["libc"]), OLDEST_GLIBC - 1, -1)]
    words = ["download", "--only-binary", ":all:", "--implementation", "cp", "--python-version", version]
    words += ["--abi", f"cp{version}"]
    for platform in [*platforms, f"manylinux2014_{machine}", f"linux_{machine}"]:
        words += ["--platform", platform]
    return [*words, "--dest"]


def fetch(asked: dict[str, Any], archive: Path) -> None:
    """Write ARCHIVE."""
    with tempfile.TemporaryDirectory() as directory:
        lock = Path(directory, "requirements.lock")
        lock.write_text("\n".join(wanted(Path(asked["lock"]).read_text(), asked["host"]["markers"])) + "\n")
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]
        ran = subprocess.run(
            [*pip, *command(asked["host"]), directory, "--no-deps", "--require-hashes", "--requirement", lock],
            env=os.environ | ({"PIP_INDEX_URL": asked["index_url"]} if asked["index_url"] else {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if ran.returncode != 0:
            errors = [line for line in ran.stdout.splitlines() if line.startswith("ERROR")] or ["pip failed"]
            text = f"requirements.lock cannot be shipped: {errors[-1]}{hint(asked['host'])}"
            sys.exit(re.sub(r"://[^/\s@]*@", "://***@", text))
        pack(archive, {file.name: file for file in sorted(Path(directory).glob("*.whl"))})


def hint(host: dict[str, Any]) -> str:
    """Why there may be no wheel, where the controller and the host are not alike."""
    if alike(host):
        return ""
    return (
        f" (no wheel for Python {host['python']} on {host['libc']}, and a controller of another kind cannot build one:"
        " run Ansible on a machine like the hosts, or let them fetch it)"
    )


def main() -> None:
    asked = json.load(sys.stdin)
    archive = Path(asked["archive"])
    archive.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Several hosts ask at once for the same.
    with (archive.parent / "lock").open("w") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        if not archive.exists():
            fetch(asked, archive)


if __name__ == "__main__":
    main()
