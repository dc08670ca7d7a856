#!/usr/bin/python3
"""Ansible module: puts a release together at its final place."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import re
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: messenger_app_build
short_description: Puts a release of an application together at its final place
description:
  - What requirements.lock names goes into an environment, C(environments/NAME), which is built once and serves every
    release that has the same lock file and Python. The application and messenger-kit go into C(venv) of the release.
  - The release's interpreter sees both, at paths that never change, so that a worker stays on its release.
  - C(.ready) is written last, in the environment and in the release. What lacks it is half built and is built anew.
options:
  root: {description: The application's directory., type: path, required: true}
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
        there yet. Without it pip fetches them, by their hashes.
    type: path
  python: {description: The Python to make environments with., type: path, default: /usr/bin/python3}
  user: {description: "The application's user, to whom it will belong.", type: str, required: true}
  built: {description: What release.json says; C(fingerprint) also goes into C(.ready)., type: dict, required: true}
author: messenger-kit
"""

RETURN = r"""
environment_built:
  description: Whether the environment was not there yet.
  returned: success
  type: bool
"""


class Broken(Exception):
    """It could not be built; the words are for the operator."""


class Owner(NamedTuple):
    """Whom the release belongs to."""

    name: str
    uid: int
    gid: int
    home: str

    def run(self, directory: Path, *command: str | Path) -> None:
        """Run COMMAND as this user in DIRECTORY; its last line says what is wrong."""
        environment = {
            "HOME": self.home,
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_INPUT": "1",
        }
        proxies = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
        ran = subprocess.run(
            command,
            cwd=directory,
            env=environment | proxies,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            user=self.uid,
            group=self.gid,
            extra_groups=os.getgrouplist(self.name, self.gid),
            umask=0o027,
        )
        if ran.returncode != 0:
            lines = [line for line in ran.stdout.splitlines() if line.strip() and not line.startswith("[notice]")]
            errors = [line for line in lines if line.startswith("ERROR")]
            raise Broken((errors or lines or [f"exit code {ran.returncode}"])[-1].strip())

    def make(self, directory: Path) -> None:
        """An empty DIRECTORY of this user, in place of what an earlier attempt left."""
        if directory.exists():
            (directory / ".ready").unlink(missing_ok=True)
            shutil.rmtree(directory)
        directory.mkdir(mode=0o750, parents=True)
        os.chown(directory, self.uid, self.gid)


def unpack(archive: str, directory: Path, owner: Owner) -> None:
    """Put the files that are in ARCHIVE into DIRECTORY, as OWNER's."""
    with tarfile.open(archive) as tar:
        for member in tar:
            content = tar.extractfile(member)
            if content is None or member.name.startswith("/") or ".." in member.name.split("/"):
                raise Broken(f"{archive} holds {member.name}, which is no plain file in it")
            file = directory / member.name
            if not file.parent.is_dir():
                owner.make(file.parent)
            with file.open("xb") as target:
                shutil.copyfileobj(content, target)
            file.chmod(0o640)
            os.chown(file, owner.uid, owner.gid)


def write(file: Path, text: str) -> None:
    """Have root's FILE in a directory of the application's user, who may have put a link there."""
    file.unlink(missing_ok=True)
    with file.open("x") as made:
        os.fchmod(made.fileno(), 0o644)
        made.write(f"{text}\n")


def metadata(wheels: Iterable[Path]) -> str:
    """A digest of what WHEELS say of themselves: names, versions, and what they need."""
    digest = hashlib.sha256()
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as content:
            for name in content.namelist():
                if re.fullmatch(r"[^/]+\.dist-info/METADATA", name):
                    digest.update(content.read(name) + b"\0")
    return digest.hexdigest()


def check(release: Path, environment: Path, wheels: Sequence[Path], pip: Sequence[str | Path], owner: Owner) -> None:
    """Whether all that WHEELS need is in ENVIRONMENT. The answer is the same while WHEELS say the same."""
    known = environment / ".checked"
    found = metadata(wheels)
    if not known.exists() or known.read_text().strip() != found:
        owner.run(release, *pip, "check")
        write(known, found)


def build_environment(asked: dict[str, Any], lock: Path, owner: Owner) -> None:
    """A virtual environment with what LOCK names, and nothing else."""
    directory = Path(asked["root"], "environments", asked["environment"])
    owner.make(directory)
    owner.run(directory, asked["python"], "-m", "venv", directory)
    pip = [directory / "bin/python", "-m", "pip", "install", "--quiet"]
    if asked["dependencies"]:
        unpack(asked["dependencies"], directory / "wheels", owner)
        # Their hashes were compared with the lock file where they were fetched.
        wheels = sorted((directory / "wheels").glob("*.whl"))
        owner.run(directory, *pip, "--no-index", "--no-deps", *wheels)
        shutil.rmtree(directory / "wheels")
    else:
        owner.run(directory, *pip, "--require-hashes", "--requirement", lock)
    write(directory / ".ready", "")


def link_environment(release: Path, environment: Path) -> None:
    """Let the release's interpreter see the packages of ENVIRONMENT, behind its own."""
    packages = next((release / "venv/lib").glob("python3.*")) / "site-packages"
    theirs = environment / "lib" / packages.parent.name / "site-packages"
    # addsitedir, and not a bare path, so that .pth files of the packages count.
    write(packages / "environment.pth", f"import site; site.addsitedir({str(theirs)!r})")
    (release / "environment").symlink_to(f"../../environments/{environment.name}")


def build_release(asked: dict[str, Any], owner: Owner) -> bool:
    """Put everything together. Whether the environment had to be built."""
    root = Path(asked["root"])
    release = root / "releases" / asked["release"]
    environment = root / "environments" / asked["environment"]
    if (root / "current").is_symlink() and Path(os.readlink(root / "current")).name == release.name:
        raise Broken(f"{release.name} is the live release; it is never built over")
    owner.make(release)
    unpack(asked["archive"], release, owner)
    write(release / "REVISION", asked["release"])
    write(release / "release.json", json.dumps(asked["built"]))
    (release / ".env").symlink_to("../../shared/config/messenger.env")
    missing = not (environment / ".ready").exists()
    if missing:
        build_environment(asked, release / "requirements.lock", owner)
    owner.run(release, asked["python"], "-m", "venv", "--without-pip", "venv")
    link_environment(release, environment)
    # pip itself comes from the environment.
    pip = [release / "venv/bin/python", "-m", "pip"]
    wheels = sorted((release / "wheels").glob("*.whl"))
    owner.run(release, *pip, "install", "--quiet", "--no-deps", "--no-index", *wheels)
    check(release, environment, wheels, pip, owner)
    write(release / ".ready", str(asked["built"].get("fingerprint", "")))
    return missing


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
            "built": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    asked = module.params
    if module.check_mode:
        ready = Path(asked["root"], "environments", asked["environment"], ".ready")
        module.exit_json(changed=True, environment_built=not ready.exists())
    try:
        entry = pwd.getpwnam(asked["user"])
        home = str(Path(asked["root"], "shared/var"))
        built = build_release(asked, Owner(entry.pw_name, entry.pw_uid, entry.pw_gid, home))
    except (Broken, OSError, KeyError, tarfile.TarError, zipfile.BadZipFile) as error:
        module.fail_json(msg=str(error))
    finally:
        for file in (asked["archive"], asked["dependencies"]):
            Path(file or "/nonexistent").unlink(missing_ok=True)
    module.exit_json(changed=True, environment_built=built)


if __name__ == "__main__":
    main()
