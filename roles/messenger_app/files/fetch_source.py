"""Have the application's source at hand on the controller. Reads one JSON document and prints another.

in:  source, config_dir, index_url, cache, kit (this repository)
out: path (a directory, a wheel or an sdist), config_dir, shown (what it comes from), revision, fingerprint; or problem

Logins in URLs reach git and pip by their environment, never by a command line, and nothing that is printed.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from fingerprint import fingerprint

FORMS = (
    "messenger_app_source is a directory, a wheel or sdist file, git+URL@REVISION (pip's way to write it), or"
    " NAME==VERSION from an index"
)
PINNED = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(\[[A-Za-z0-9,._ -]*\])?==(?P<version>[A-Za-z0-9.!+_-]+)")
CONFIG = ("requirements.lock", "messenger.yaml")


class Problem(Exception):
    """It cannot be had; the words are for the operator."""


def scrub(text: str) -> str:
    """TEXT without the logins of URLs."""
    return re.sub(r"://[^/\s@]*(?:@[^/\s@]*)*@", "://***@", text)


def run(*command: str, environment: dict[str, str] | None = None) -> str:
    """What COMMAND prints. Its last line of complaint becomes the problem."""
    ran = subprocess.run(
        command, env=os.environ | (environment or {}), stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if ran.returncode != 0:
        lines = [line for line in ran.stderr.splitlines() if line.strip() and "[notice]" not in line]
        lines = [line for line in lines if line.startswith(("ERROR", "fatal"))] or lines
        raise Problem(f"{' '.join(command[:2])}: {scrub(lines[-1].strip() if lines else 'failed without a word')}")
    return ran.stdout.strip()


class Repository(NamedTuple):
    """A git+URL@REVISION#subdirectory=DIRECTORY in its parts; the URL without its login."""

    url: str
    login: str
    revision: str
    subdirectory: str

    @classmethod
    def of(cls, source: str) -> Repository:
        """Taken apart as pip does it: the last @ of the path begins the revision."""
        url, _, fragment = source.removeprefix("git+").partition("#")
        scheme, separator, rest = url.partition("://")
        if not separator or not re.fullmatch(r"|subdirectory=[^&]+", fragment):
            raise Problem(f"{scrub(source)} is no git URL. {FORMS}")
        host, _, path = rest.partition("/")
        path, _, revision = path.rpartition("@") if "@" in path else (path, "", "")
        login, _, host = host.rpartition("@")
        if login and scheme not in ("http", "https"):
            host, login = f"{login.partition(':')[0]}@{host}", ""
        return cls(f"{scheme}://{host}/{path}", login, revision, fragment.removeprefix("subdirectory="))

    def environment(self) -> dict[str, str]:
        """Lets git log in, and fail instead of asking."""
        found = {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "true", "LC_ALL": "C"}
        if self.login:
            header = base64.b64encode((self.login if ":" in self.login else f"{self.login}:").encode()).decode()
            found |= {
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": f"http.{self.url}.extraHeader",
                "GIT_CONFIG_VALUE_0": f"Authorization: Basic {header}",
            }
        return found


def commit_of(repository: Repository, clone: Path) -> str:
    """The commit that the revision means: a branch as the server has it, a tag, or a commit."""
    wanted = repository.revision
    names = [f"refs/remotes/origin/{wanted}", wanted] if wanted else ["origin/HEAD"]
    git = ["git", "-C", str(clone), "rev-parse", "--verify", "--quiet", "--end-of-options"]
    for name in names:
        try:
            return run(*git, f"{name}^{{commit}}")
        except Problem:
            continue
    raise Problem(f"{repository.url} has no branch, tag or commit {repository.revision or 'that is its HEAD'}")


def check_out(source: str, cache: Path) -> tuple[Path, str, str]:
    """A clean checkout of the revision, its URL without login, and its commit."""
    repository = Repository.of(source)
    clone = cache / "git" / hashlib.sha256(repository.url.encode()).hexdigest()[:16]
    git = ["git", "-C", str(clone)]
    login = repository.environment()
    if not (clone / ".git/HEAD").exists():
        clone.parent.mkdir(parents=True, exist_ok=True)
        run("git", "clone", "--quiet", "--no-checkout", repository.url, str(clone), environment=login)
    elif not re.fullmatch("[0-9a-f]{40}", repository.revision):
        heads = "+refs/heads/*:refs/remotes/origin/*"
        run(*git, "fetch", "--quiet", "--force", "--prune", "--tags", "origin", heads, environment=login)
        if not repository.revision:
            run(*git, "remote", "set-head", "origin", "--auto", environment=login)
    commit = commit_of(repository, clone)
    run(*git, "checkout", "--quiet", "--force", "--detach", commit)
    run(*git, "clean", "-ffdxq")
    if (clone / ".gitmodules").exists():
        run(*git, "submodule", "update", "--init", "--recursive", "--quiet", environment=login)
    shown = f"{repository.url}@{repository.revision or 'HEAD'}"
    return clone / repository.subdirectory, shown, commit[:12]


def download(name: str, index_url: str, cache: Path) -> Path:
    """The wheel or sdist that NAME==VERSION is in the index."""
    directory = cache / "index" / re.sub(r"[^A-Za-z0-9._-]", "-", name)
    shutil.rmtree(directory, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]
    environment = {"PIP_INDEX_URL": index_url} if index_url else {}
    run(*pip, "download", "--no-deps", "--dest", str(directory), name, environment=environment)
    return next(file for file in directory.iterdir())


def revision_of(directory: Path) -> str:
    """The commit that DIRECTORY is a checkout of, -dirty when files in it differ; empty when it is none."""
    try:
        commit = run("git", "-C", str(directory), "rev-parse", "--short=12", "HEAD")
        changes = run("git", "-C", str(directory), "status", "--porcelain", "--", ".")
    except (Problem, OSError):
        return ""
    return f"{commit}-dirty" if changes else commit


def fetch(source: str, config_dir: str, index_url: str, cache: Path) -> dict[str, str]:
    """Where the application is now, and what it comes from."""
    revision = ""
    if source.startswith("git+"):
        path, shown, revision = check_out(source, cache)
    elif PINNED.fullmatch(source) and not Path(source).exists():
        path, shown = download(source, index_url, cache), source
    else:
        path = Path(source).expanduser().resolve()
        shown = str(path)
        revision = revision_of(path) if path.is_dir() else ""
    if path.is_file() and not path.name.endswith((".whl", ".tar.gz")):
        raise Problem(f"{shown} is no wheel (.whl) and no sdist (.tar.gz). {FORMS}")
    if not path.exists():
        raise Problem(f"There is no {shown if path == Path(shown) else path.name + ' in ' + shown}. {FORMS}")
    if path.is_file() and not config_dir:
        raise Problem(f"{shown} needs messenger_app_config_dir, a directory with {' and '.join(CONFIG)}")
    config = Path(config_dir).expanduser().resolve() if config_dir else path
    for directory, file in [(config, name) for name in CONFIG] + ([(path, "pyproject.toml")] if path.is_dir() else []):
        if not (directory / file).is_file():
            raise Problem(
                f"{shown if directory == path else directory} has no {file}. An application has pyproject.toml, and"
                f" {' and '.join(CONFIG)} beside it or in messenger_app_config_dir; examples/sms shows one"
            )
    return {"path": str(path), "config_dir": str(config), "shown": shown, "revision": revision}


def content(kit: Path, answer: dict[str, str]) -> str:
    """The fingerprint of all that makes a release."""
    roots = [kit / "src", kit / "pyproject.toml", Path(answer["path"])]
    if answer["config_dir"] != answer["path"]:
        roots += [Path(answer["config_dir"], name) for name in CONFIG]
    return fingerprint(roots)


def check_tools() -> None:
    """What builds wheels must be there before anything is begun."""
    if not all(importlib.util.find_spec(name) for name in ("build", "hatchling")):
        raise Problem(
            f"The Python that runs Ansible ({sys.executable}) lacks what builds releases. Install the controller's"
            f" packages into it: {sys.executable} -m pip install --require-hashes -r requirements.lock"
        )


def main() -> None:
    asked = json.load(sys.stdin)
    try:
        check_tools()
        answer = fetch(asked["source"], asked["config_dir"], asked["index_url"], Path(asked["cache"]))
        answer["fingerprint"] = content(Path(asked["kit"]), answer)
    except (Problem, OSError) as problem:
        answer = {"problem": scrub(str(problem))}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
