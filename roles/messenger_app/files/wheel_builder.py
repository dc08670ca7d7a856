"""Build wheels on the controller, with pinned build requirements and without the operator's environment."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from commands import Problem, complaint, run_build
from lock_file import read_lock

PIP = ("-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input")
ABSENT = r"issing dependencies|build dependencies|is not available|BackendUnavailable"
NEEDED = "name a lock file with all build requirements"


class WheelBuilder:
    """Builds wheels with the packages of one Python.

    Args:
        build_lock: Lock file with the build requirements, which go into an environment of their own; empty for the
            controller's own packages (hatchling).
        cache: Directory for that environment.
        index_url: Index for it; empty for pip's own.
    """

    def __init__(self, build_lock: str, cache: Path, index_url: str) -> None:
        self.build_lock = Path(build_lock).expanduser() if build_lock else None
        if self.build_lock and not self.build_lock.is_file():
            raise Problem(f"There is no file {self.build_lock} (messenger_app_build_lock)")
        self.cache = cache
        self.index_url = index_url

    def python(self) -> Path:
        """Return the Python that has the build requirements; install them first where they are not there yet."""
        if self.build_lock is None:
            if not all(importlib.util.find_spec(name) for name in ("build", "hatchling")):
                raise Problem(
                    f"The Python that runs Ansible ({sys.executable}) lacks what builds releases. Install the"
                    f" controller's packages into it: {sys.executable} -m pip install --require-hashes -r"
                    " requirements.lock"
                )
            return Path(sys.executable)
        read_lock(self.build_lock)
        digest = hashlib.sha256(f"{sys.executable} {sys.version}\n".encode() + self.build_lock.read_bytes())
        environment = self.cache / "build-environments" / digest.hexdigest()[:32]
        environment.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with environment.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (environment / ".ready").exists():
                self.install(environment)
        return environment / "bin/python"

    def install(self, environment: Path) -> None:
        """Make ENVIRONMENT with what the lock file names: wheels with these hashes only."""
        install = ["install", "--only-binary", ":all:", "--require-hashes", "--no-deps", "--requirement"]
        for command in (
            [sys.executable, "-m", "venv", "--clear", str(environment)],
            [str(environment / "bin/python"), *PIP, *install, str(self.build_lock)],
        ):
            ran = subprocess.run(
                command,
                env=os.environ | ({"PIP_INDEX_URL": self.index_url} if self.index_url else {}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            if ran.returncode != 0:
                raise Problem(f"{self.build_lock} (messenger_app_build_lock): {complaint(ran.stdout)}")
        (environment / ".ready").touch()

    def build(self, source: Path, target: Path) -> Path:
        """Build the wheel of SOURCE, a directory or an unpacked or packed source distribution, into TARGET.

        Raises:
            Problem: It cannot be built.
        """
        python = str(self.python())
        with unpacked(source) as directory, tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as out:
            if self.build_lock is None:
                command = [python, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, str(directory)]
            else:
                words = ["wheel", "--no-build-isolation", "--check-build-dependencies", "--no-deps", "--no-index"]
                command = [python, *PIP, *words, "--wheel-dir", out, str(directory)]
            try:
                run_build(*command, home=Path(home))
            except Problem as problem:
                absent = re.search(ABSENT, str(problem))
                hint = f" ({'add them to' if self.build_lock else NEEDED}: messenger_app_build_lock)" if absent else ""
                raise Problem(f"{source} could not be built: {problem}{hint}") from None
            wheels = list(Path(out).glob("*.whl"))
            if len(wheels) != 1:
                raise Problem(f"{source} could not be built: it made {len(wheels)} wheels")
            target.mkdir(mode=0o700, parents=True, exist_ok=True)
            wheel = target / wheels[0].name
            wheel.write_bytes(wheels[0].read_bytes())
            return wheel


@contextmanager
def unpacked(source: Path) -> Iterator[Path]:
    """Yield SOURCE if it is a directory; else what the source distribution holds, in a directory of its own.

    Raises:
        Problem: It is no source distribution.
    """
    if source.is_dir():
        yield source
        return
    with tempfile.TemporaryDirectory() as directory:
        try:
            with tarfile.open(source) as tar:
                tar.extractall(directory, filter="data")
        except tarfile.TarError as error:
            raise Problem(f"{source} is no source distribution: {error}") from error
        roots = [entry for entry in Path(directory).iterdir() if entry.is_dir()]
        if len(roots) != 1:
            raise Problem(f"{source} is no source distribution: it does not hold one directory")
        yield roots[0]
