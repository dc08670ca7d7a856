"""Have the application's source on the controller. Reads one JSON document and prints another.

in:  source, config_dir, index_url, cache, signers, source_distributions
out: path (a directory, a wheel or an sdist), config_dir, shown (what it comes from), revision; or problem

Logins in URLs reach git and pip by their environment, never by a command line, and nothing that is printed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import git_source
from commands import Problem, scrub
from index_source import Pinned, fetch_version
from lock_file import read_lock

FORMS = (
    "messenger_app_source is a directory, a wheel or sdist file, git+URL@REVISION (pip's way to write it), or"
    " NAME==VERSION --hash=sha256:… from an index"
)
CONFIG = ("requirements.lock", "messenger.yaml")


def fetch(asked: dict[str, Any]) -> dict[str, str]:
    """Return where the application is now, and what it comes from.

    Raises:
        Problem: It cannot be had, or is incomplete.
    """
    source, cache = asked["source"], Path(asked["cache"])
    revision = ""
    pinned = None if Path(source).exists() else Pinned.of(source)
    root = None
    if source.startswith("git+"):
        path, shown, commit = git_source.check_out(source, cache, asked["signers"])
        root, revision = git_source.root_of(path), commit[:12]
    elif asked["signers"]:
        raise Problem(f"messenger_app_source_signers is for git+URL@REVISION; {scrub(source)} holds no signature")
    elif pinned:
        path = fetch_version(pinned, asked["index_url"], asked["source_distributions"], cache)
        shown = pinned.requirement
    else:
        path = Path(source).expanduser().resolve()
        shown = str(path)
        revision = git_source.revision_of(path) if path.is_dir() else ""
    check_kind(path, shown, asked["config_dir"])
    config = Path(asked["config_dir"]).expanduser().resolve() if asked["config_dir"] else path
    check_complete(path, config, shown, root)
    return {"path": str(path), "config_dir": str(config), "shown": shown, "revision": revision}


def check_kind(path: Path, shown: str, config_dir: str) -> None:
    """Refuse what is no application."""
    if path.is_file() and not path.name.endswith((".whl", ".tar.gz")):
        raise Problem(f"{shown} is no wheel (.whl) and no sdist (.tar.gz). {FORMS}")
    if not path.exists():
        raise Problem(f"There is no {shown if path == Path(shown) else path.name + ' in ' + shown}. {FORMS}")
    if path.is_file() and not config_dir:
        raise Problem(f"{shown} needs messenger_app_config_dir, a directory with {' and '.join(CONFIG)}")


def check_complete(path: Path, config: Path, shown: str, root: Path | None) -> None:
    """Refuse an application that lacks a file, or whose lock file does not say exactly what is installed.

    In a checkout of git, ROOT, no file may be a link that leads out of it: it would ship a file of the controller.
    """
    for directory, file in [(config, name) for name in CONFIG] + ([(path, "pyproject.toml")] if path.is_dir() else []):
        if not (directory / file).is_file():
            raise Problem(
                f"{shown if directory == path else directory} has no {file}. An application has pyproject.toml, and"
                f" {' and '.join(CONFIG)} beside it or in messenger_app_config_dir; examples/sms shows one"
            )
        if root and directory == path and not (directory / file).resolve().is_relative_to(root):
            raise Problem(f"{file} in {shown} is a link that leads out of the repository")
    read_lock(config / "requirements.lock")


def main() -> None:
    """Answer what was asked."""
    try:
        answer = fetch(json.load(sys.stdin))
    except (Problem, OSError) as problem:
        answer = {"problem": scrub(" ".join(str(problem).split()))}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
