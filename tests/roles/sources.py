"""The role's scripts that fetch and build an application on the controller, as the role runs them."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

from tests.roles.applications import make_config
from tests.support.modules import MODULES, ROLES, answer_of
from tests.support.paths import ROOT

FILES = ROLES / "messenger_app/files"


def run(script: str, **asked: Any) -> subprocess.CompletedProcess[str]:
    """Run SCRIPT; what it is asked may hold paths."""
    command = [sys.executable, "-B", str(FILES / script)]
    return subprocess.run(command, input=json.dumps(asked, default=str), capture_output=True, text=True)


def fetch(
    cache: Path, source: str | Path, config_dir: str | Path = "", index_url: str = "", **other: Any
) -> dict[str, str]:
    """What fetch_source.py answers; no login is in it."""
    asked = {"source": str(source), "config_dir": config_dir, "index_url": index_url, "cache": cache}
    ran = run("fetch_source.py", **asked, **{"signers": "", "source_distributions": [], **other})
    assert ran.returncode == 0, ran.stderr
    assert "s3cret" not in ran.stdout + ran.stderr
    answer: dict[str, str] = json.loads(ran.stdout)
    return answer


def build_release(work: Path, origin: dict[str, str], **other: Any) -> dict[str, str]:
    """What build_wheels.py answers for what fetch_source.py answered."""
    asked = {"kit": ROOT, "work": work / "work", "cache": work / "cache", "build_lock": "", "index_url": ""}
    ran = run("build_wheels.py", **{**origin, **asked, **other})
    assert ran.returncode == 0, ran.stderr
    answer: dict[str, str] = json.loads(ran.stdout)
    return answer


def content_of(archive: str | Path) -> dict[str, bytes]:
    """The files in ARCHIVE."""
    with tarfile.open(archive) as tar:
        found = {name: tar.extractfile(name) for name in tar.getnames()}
        return {name: file.read() for name, file in found.items() if file}


def host(**other: Any) -> dict[str, Any]:
    """What the module messenger.kit.host_info says of this machine."""
    asked = {"asked_at": 1, "root": "/", "user": "daemon", "builder": "bin", "package": "dpkg"}
    return answer_of(MODULES / "host_info.py", {**asked, "python": sys.executable}) | other


def ship(tmp_path: Path, lock: str, index: Path, target: dict[str, Any], **other: Any) -> set[str] | str:
    """The wheels that are shipped to TARGET, or why not."""
    config = make_config(tmp_path / "config", lock)
    archive = tmp_path / "shipped.tar"
    archive.unlink(missing_ok=True)
    asked = {"lock": config / "requirements.lock", "archive": archive, "index_url": f"file://{index}", "host": target}
    rest = {"source_distributions": [], "build_lock": "", "cache": tmp_path / "cache"}
    ran = run("fetch_dependencies.py", **asked, **{**rest, **other})
    return set(content_of(archive)) if ran.returncode == 0 else ran.stderr
