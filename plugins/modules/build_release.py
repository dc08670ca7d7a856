#!/usr/bin/python
"""Ansible module: puts a release together at its final place."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.messenger.kit.plugins.module_utils.process import User, kill_all_of, run_as
from ansible_collections.messenger.kit.plugins.module_utils.releases import marked, set_mark, text
from ansible_collections.messenger.kit.plugins.module_utils.text import printable
from ansible_collections.messenger.kit.plugins.module_utils.tree import Refused, copy_tree, differences, seal

DOCUMENTATION = r"""
module: build_release
short_description: Puts a release of an application together at its final place
description:
  - What requirements.lock names goes into an environment, C(environments/NAME), which is built once and serves every
    release that has the same lock file and Python. The application and messenger-kit go into C(venv) of the release.
  - The release's interpreter sees both, at paths that never change, so that a worker stays on its release.
  - Root runs nothing that is in a package. C(builder) has pip unpack wheels, of which nothing is run, into a directory
    that only it and root can enter; root copies the files, so that they are root's from the beginning, read-only for
    the application's group. No process of C(builder) is left when the module ends. C(pip check) runs as C(user).
  - C(.manifest) says what each file is (M(messenger.kit.verify_info)). C(.ready) is written last, in the environment
    and in the release. What lacks it is half built and is built anew.
options:
  release: {description: Id of the release., type: str, required: true}
  environment: {description: Name of its environment., type: str, required: true}
  archive:
    description:
      - A tar file on the controller with wheels/, requirements.lock and messenger.yaml. The action of the same name
        sends it to C(root) first.
    type: path
    required: true
  dependencies:
    description:
      - A tar file on the controller with a wheel of everything in requirements.lock, for an environment that is not
        there yet. Without it pip fetches them, by their hashes; nothing but wheels.
    type: path
  python: {description: The Python to make environments with., type: path, default: /usr/bin/python3}
  user: {description: "The application's user, whose group may read it.", type: str, required: true}
  builder: {description: The user that pip runs as; all its processes are killed., type: str, required: true}
  built: {description: What release.json says; C(fingerprint) also goes into C(.ready)., type: dict, required: true}
extends_documentation_fragment: [messenger.kit.application]
author: The messenger-kit authors (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Build the release
  messenger.kit.build_release:
    root: /srv/sms
    release: 20260101T120000Z-0a1b2c3d
    environment: 5e6f7a8b
    archive: /tmp/release.tar # on the controller
    user: sms
    builder: sms-build
    built: {fingerprint: 0a1b2c3d, revision: v1.2}
"""

RETURN = r"""
environment_built:
  description: Whether the environment was not there yet.
  returned: success
  type: bool
"""

SECONDS = 1800  # of one run of pip, which may fetch large wheels
# pip of another environment, that writes the interpreter INSTEAD into scripts. That one is not started.
PIP = (
    "import runpy, sys; sys.executable = sys.argv.pop(1); runpy.run_module('pip', run_name='__main__', alter_sys=True)"
)
# Also what takes back what the host's pip.conf may say.
INSTALL = ("install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-user", "--target=",
           "--ignore-installed", "--compile", "--no-warn-script-location", "--only-binary", ":all:")  # fmt: skip
# What requirements.lock may say besides packages: where they are, never that one is built.
LOCK_OPTIONS = (
    r"(-i|--index-url|--extra-index-url|--trusted-host)[ =]|--(require-hashes|prefer-binary|only-binary[ =]:all:)$"
)


class Broken(Exception):
    """It could not be built; the words are for the operator."""


FAILURES = (Broken, Refused, OSError, LookupError, subprocess.TimeoutExpired, tarfile.TarError, zipfile.BadZipFile)


def unpack(archive: str, directory: Path, group: int) -> None:
    """Put the files that are in ARCHIVE into DIRECTORY, for GROUP to read."""
    with tarfile.open(archive) as tar:
        for member in tar:
            content = tar.extractfile(member)
            if content is None or not member.isreg() or member.name.startswith("/") or ".." in member.name.split("/"):
                raise Broken(f"{archive} holds {member.name}, which is no plain file in it")
            file = directory / member.name
            if not file.parent.is_dir():
                file.parent.mkdir()
                give(file.parent, group, 0o750)
            with file.open("xb") as target:
                shutil.copyfileobj(content, target)
            give(file, group, 0o640)


def give(path: Path, group: int, mode: int) -> None:
    """Have GROUP read PATH, which lies where only root writes."""
    os.chown(path, -1, group)
    path.chmod(mode)


def metadata(wheels: Iterable[Path]) -> str:
    """A digest of what WHEELS say of themselves: names, versions, and what they need."""
    digest = hashlib.sha256()
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as content:
            for name in content.namelist():
                if re.fullmatch(r"[^/]+\.dist-info/METADATA", name):
                    digest.update(content.read(name) + b"\0")
    return digest.hexdigest()


def require_wheels(lock: str) -> None:
    """Refuse a lock file of which pip would build something: the option --only-binary does not cover all of it."""
    for line in re.sub(r"\\\n", " ", lock).splitlines():
        entry = re.sub(r"(^|\s)#.*", "", line).strip()
        pinned = re.match(r"[A-Za-z0-9._-]+(\[[^]]*\])?\s*(==[^@/]+|@\s*\S+\.whl([#\s;].*)?)$", entry.split(" --")[0])
        if entry and not pinned and not re.match(LOCK_OPTIONS, entry):
            raise Broken(f"requirements.lock: {printable(entry, 100)!r} is no wheel of a version (NAME==VERSION)")


class Build:
    """One run: what was asked for, and who does what."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self.asked = asked
        self.root = Path(asked["root"])
        self.user = User.named(asked["user"])
        self.builder = User.named(asked["builder"])
        if self.builder.uid == self.user.uid and os.geteuid() == 0:
            raise Broken(f"{self.builder.name} runs the application; pip needs a user of its own")
        self.release = self.root / "releases" / asked["release"]
        self.environment = self.root / "environments" / asked["environment"]

    def run(self) -> bool:
        """Put everything together. Whether the environment had to be built."""
        if (self.root / "current").is_symlink() and Path(os.readlink(self.root / "current")).name == self.release.name:
            raise Broken(f"{self.release.name} is the live release; it is never built over")
        missing = not marked(self.environment, "ready")
        with self.scratch() as scratch:
            parts = self.unpacked(scratch, "archive")
            wheels = sorted((parts / "wheels").glob("*.whl"))
            require_wheels((parts / "requirements.lock").read_text())
            if missing:
                self.build_environment(scratch, parts / "requirements.lock")
            self.build_release(scratch, parts, wheels)
            self.check(metadata(wheels))
        set_mark(self.release, "ready", str(self.asked["built"].get("fingerprint", "")))
        return missing

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Yield a directory that only root and the builder can enter; end the builder's processes before and after."""
        for old in self.root.glob(".build-*"):
            shutil.rmtree(old)
        kill_all_of(self.builder)
        directory = Path(tempfile.mkdtemp(prefix=".build-", dir=self.root))
        try:
            give(directory, self.builder.gid, 0o710)
            yield directory
        finally:
            kill_all_of(self.builder)
            shutil.rmtree(directory)

    def unpacked(self, scratch: Path, name: str) -> Path:
        """What is in the archive NAME, in a directory that the builder reads."""
        directory = scratch / name
        directory.mkdir()
        give(directory, self.builder.gid, 0o750)
        unpack(self.asked[name], directory, self.builder.gid)
        return directory

    @cached_property
    def pip(self) -> Path:
        """The Python of an environment with the pip that came with it, and nothing else: made once, then compared."""
        directory, python = self.root / "pip", self.asked["python"]
        made_with = f"{python} {output([python, '-I', '-c', 'import sys; print(sys.version)'])}"
        try:
            whole = (
                text(directory / ".ready") == made_with and marked(directory, "ready") and not differences(directory)
            )
        except Refused:
            whole = False
        if not whole:
            make_empty(directory)
            output([python, "-I", "-m", "venv", directory])
            seal(directory, os.getegid(), public=True)
            set_mark(directory, "ready", made_with)
        return directory / "bin/python"

    def packages(self, scratch: Path, interpreter: Path, *what: str | Path) -> Path:
        """What pip installs for WHAT, with scripts for INTERPRETER: in a directory of the builder."""
        work = Path(tempfile.mkdtemp(dir=scratch))
        os.chown(work, self.builder.uid, self.builder.gid)
        proxies = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
        ran = run_as(
            self.builder,
            [self.pip, "-I", "-c", PIP, interpreter, *INSTALL, "--prefix", work / "made", *what],
            work,
            environment=proxies | {"HOME": str(work), "TMPDIR": str(work)},
            seconds=SECONDS,
        )
        kill_all_of(self.builder)
        if ran.code != 0 or ran.stopped:
            raise Broken(ran.last_words)
        return work / "made"

    def place(self, packages: Path, venv: Path) -> None:
        """Make the virtual environment VENV, with PACKAGES of the builder."""
        output([self.asked["python"], "-I", "-m", "venv", "--without-pip", venv])
        if packages.exists():
            copy_tree(packages, venv, self.builder.uid)

    def build_environment(self, scratch: Path, lock: Path) -> None:
        """A virtual environment with what LOCK names, and nothing else."""
        if self.asked["dependencies"]:
            # Their hashes were compared with the lock file where they were fetched.
            wheels = sorted(self.unpacked(scratch, "dependencies").glob("*.whl"))
            what: list[str | Path] = ["--no-index", "--no-deps", *wheels]
        else:
            what = ["--require-hashes", "--requirement", lock]
        packages = self.packages(scratch, self.environment / "bin/python", *what)
        make_empty(self.environment)
        self.place(packages, self.environment)
        seal(self.environment, self.user.gid)
        set_mark(self.environment, "ready", "")

    def build_release(self, scratch: Path, parts: Path, wheels: list[Path]) -> None:
        """The release, up to its mark."""
        venv = self.release / "venv"
        packages = self.packages(scratch, venv / "bin/python", "--no-deps", "--no-index", *wheels)
        if not packages.exists():
            raise Broken("pip put the application elsewhere: look for root or dry-run in /etc/pip.conf of the host")
        make_empty(self.release)
        for file in parts.iterdir():
            if file.name != "wheels":
                shutil.move(file, self.release)
        (self.release / "REVISION").write_text(f"{self.release.name}\n")
        (self.release / "release.json").write_text(json.dumps(self.asked["built"]) + "\n")
        (self.release / ".env").symlink_to("../../shared/config/messenger.env")
        self.place(packages, venv)
        self.link_environment()
        seal(self.release, self.user.gid)

    def link_environment(self) -> None:
        """Let the release's interpreter see the packages of the environment, behind its own."""
        packages = next((self.release / "venv/lib").glob("python3.*")) / "site-packages"
        theirs = self.environment / "lib" / packages.parent.name / "site-packages"
        # addsitedir, and not a bare path, so that .pth files of the packages count.
        with (packages / "environment.pth").open("x") as file:
            file.write(f"import site; site.addsitedir({str(theirs)!r})\n")
        (self.release / "environment").symlink_to(f"../../environments/{self.environment.name}")

    def check(self, asked_for: str) -> None:
        """Whether all that the release needs is there: asked once for releases whose metadata is the same."""
        if text(self.environment / ".checked") != asked_for:
            # It starts the release's interpreter, and so code of packages.
            command = [self.pip, "-I", "-m", "pip", "--disable-pip-version-check", "--no-cache-dir"]
            ran = run_as(self.user, [*command, "--python", self.release / "venv/bin/python", "check"], self.release)
            if ran.code != 0 or ran.stopped:
                raise Broken(ran.last_words)
            set_mark(self.environment, "checked", asked_for)


def output(command: list[str | Path]) -> str:
    """What the host's Python says, run by root: with its own library, in an empty environment."""
    ran = subprocess.run(
        command,
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=120,
        check=False,
    )
    if ran.returncode != 0:
        lines = [line for line in ran.stdout.splitlines() if line.strip()]
        raise Broken(printable(f"{command[0]}: {(lines or ['no reason given'])[-1]}"))
    return " ".join(ran.stdout.split())


def make_empty(directory: Path) -> None:
    """Have an empty DIRECTORY that only root can enter, in place of what is there."""
    aside = directory.with_name(f".old-{directory.name}")
    if aside.exists():
        shutil.rmtree(aside)
    if directory.exists():
        directory.rename(aside)
        shutil.rmtree(aside)
    directory.mkdir(mode=0o700)


def main() -> None:
    """Build, and say what was built."""
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            "release": {"type": "str", "required": True},
            "environment": {"type": "str", "required": True},
            "archive": {"type": "path", "required": True},
            "dependencies": {"type": "path"},
            "python": {"type": "path", "default": "/usr/bin/python3"},
            "user": {"type": "str", "required": True},
            "builder": {"type": "str", "required": True},
            "built": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    asked = module.params
    if module.check_mode:
        missing = not marked(Path(asked["root"], "environments", asked["environment"]), "ready")
        module.exit_json(changed=True, environment_built=missing)
    os.umask(0o027)
    try:
        built = Build(asked).run()
    except FAILURES as error:
        module.fail_json(msg=str(error))
    finally:
        for file in (asked["archive"], asked["dependencies"]):
            Path(file or "/nonexistent").unlink(missing_ok=True)
    module.exit_json(changed=True, environment_built=built)


if __name__ == "__main__":
    main()
