"""A host's application directory, with the users that a real one has, for the tests of builds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from tests.roles.applications import make_config, make_wheel
from tests.support.modules import MODULES, ROLES, load

APP = ROLES / "messenger_app"
ROOT = os.geteuid() == 0
module = load(MODULES / "build_release.py")
releases = load(MODULES / "releases.py")
# Users that are in no list, and of this process alone: others may run the tests at the same time.
FIRST_UID = 200_000 + os.getpid() % 100_000 * 2
PYTHON = "/usr/bin/python3" if ROOT else str(Path(sys.executable).resolve())


def user(name: str, number: int) -> Any:
    """A user; this one where the tests are not run as root."""
    uid, gid = (FIRST_UID + number, FIRST_UID + number) if ROOT else (os.getuid(), os.getgid())
    return module.User(name, uid, gid)


USERS = {"shop": user("shop", 0), "shop-build": user("shop-build", 1)}


class AppHost:
    """A host's application directory, and what a controller would copy to it."""

    def __init__(self, directory: Path) -> None:
        self.root = directory / "srv"
        self.parts = directory / "parts"
        self.user, self.builder = USERS["shop"], USERS["shop-build"]
        for path, mode in (("", 0o751), ("releases", 0o750), ("environments", 0o750), ("shared", 0o750)):
            (self.root / path).mkdir(mode=mode)
            os.chown(self.root / path, -1, self.user.gid)
            (self.root / path).chmod(mode)
        (self.root / "shared/var").mkdir(mode=0o750)
        os.chown(self.root / "shared/var", self.user.uid, self.user.gid)
        self.parts.mkdir(mode=0o700)
        self.dependency = make_wheel(self.parts, "dep", "VALUE = 'dep'\n")

    def archive(self, name: str, *files: tuple[str, Path]) -> str:
        with tarfile.open(self.parts / name, "w") as tar:
            for inside, file in files:
                tar.add(file, inside)
        return str(self.parts / name)

    def build(
        self, release: str, environment: str, content: str = "", needs: str = "", lock: str = "", **other: Any
    ) -> bool:
        """Build RELEASE, whose application needs a package; whether its environment was built."""
        config = make_config(self.parts / "config", lock)
        wheel = make_wheel(self.parts / release, "shop", content or f"import dep\nWHICH = '{release}'\n", needs=needs)
        lazy = make_wheel(self.parts / release, "late", f"WHICH = '{release}'\n")
        files = [(f"wheels/{file.name}", file) for file in (wheel, lazy)]
        files += [(name, config / name) for name in ("requirements.lock", "messenger.yaml")]
        asked: dict[str, Any] = {
            "root": str(self.root),
            "release": release,
            "environment": environment,
            "archive": self.archive("release.tar", *files),
            "dependencies": self.archive("dependencies.tar", (self.dependency.name, self.dependency)),
            "python": PYTHON,
            "user": "shop",
            "builder": "shop-build",
            "built": {"fingerprint": release[-8:]},
        }
        built: bool = module.Build(asked | other).run()
        return built

    def release(self, release: str) -> Path:
        return self.root / "releases" / release

    def python(self, release: str, code: str) -> str:
        """What the release's own Python says to CODE, run as the application's user."""
        return self.as_user([self.release(release) / "venv/bin/python", "-c", code]).strip()

    def as_user(self, command: Sequence[str | Path]) -> str:
        """What COMMAND says, run as the application's user."""
        ran = module.run_as(self.user, command)
        assert ran.code == 0, ran.stderr
        return str(ran.stdout)

    def found(self) -> dict[str, tuple[str, bool]]:
        return {each["id"]: (each["state"], each["fits"]) for each in releases.releases(self.root)}


@contextmanager
def app_directory() -> Iterator[Path]:
    """A directory that other users can pass through; those of pytest are closed to them."""
    directory = Path(mkdtemp(prefix="kit-"))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


def copy_pip(host: AppHost, made: Path) -> None:
    """Give HOST the environment of pip that another host has made, which spares it the time."""
    subprocess.run(["cp", "-a", made / "pip", host.root], check=True)
