"""Check out the application from git: exactly the revision that was named, and signed where that is required."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import NamedTuple

from commands import Problem, forget_old, run, scrub
from git_signatures import check_signature, with_settings

COMMIT_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
SCHEMES = ("https", "http", "ssh", "git", "file")
# Settings of the operator's that run programs for a repository are off: hooks (also those of a template directory), a
# file system monitor, transports that are commands. How to log in, proxies and certificates stay as configured.
SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "protocol.ext.allow": "never",
    "advice.detachedHead": "false",
    "gc.auto": "0",
}
MODULES = ("update", "--init", "--recursive", "--quiet", "--checkout", "--force")
# GIT_DIR and its like, as git sets them for its hooks, would lead to another repository.
KEPT_VARIABLES = re.compile(r"GIT_(SSH|SSL|HTTP|PROXY|CONFIG_(GLOBAL|SYSTEM|NOSYSTEM|COUNT|KEY|VALUE)|ASKPASS)\w*")


def git_environment(settings: dict[str, str]) -> dict[str, str]:
    """Return the environment that git runs in: the operator's, with SETTINGS and ours over it."""
    found = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or KEPT_VARIABLES.fullmatch(name)
    }
    fixed = {"GIT_NO_REPLACE_OBJECTS": "1", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    return with_settings({"GIT_ASKPASS": "true"} | found | fixed, SETTINGS | settings)


class Repository(NamedTuple):
    """A git+URL@REVISION#subdirectory=DIRECTORY in its parts; the URL without its login."""

    url: str
    login: str
    revision: str
    subdirectory: str

    @classmethod
    def of(cls, source: str) -> Repository:
        """Take SOURCE apart as pip does: the last @ of the path begins the revision.

        Raises:
            Problem: It is no such URL.
        """
        url, _, fragment = source.removeprefix("git+").partition("#")
        scheme, separator, rest = url.partition("://")
        if not separator or not re.fullmatch(r"|subdirectory=[^&]+", fragment):
            raise Problem(f"{scrub(source)} is no git URL")
        if scheme not in SCHEMES:
            raise Problem(f"{scrub(source)}: git URLs begin with one of {', '.join(SCHEMES)}, not with {scheme}")
        host, _, path = rest.partition("/")
        path, _, revision = path.rpartition("@") if "@" in path else (path, "", "")
        login, _, host = host.rpartition("@")
        if login and scheme not in ("http", "https"):
            host, login = f"{login.partition(':')[0]}@{host}", ""
        return cls(f"{scheme}://{host}/{path}", login, revision, fragment.removeprefix("subdirectory="))

    @property
    def commit(self) -> str:
        """The revision if it is a full commit id, else empty."""
        return self.revision.lower() if COMMIT_ID.fullmatch(self.revision.lower()) else ""

    @property
    def is_default(self) -> bool:
        """Whether the server's HEAD is wanted."""
        return self.revision in ("", "HEAD")

    def environment(self) -> dict[str, str]:
        """Return an environment in which git logs in, or fails instead of asking."""
        if not self.login:
            return git_environment({})
        header = base64.b64encode((self.login if ":" in self.login else f"{self.login}:").encode()).decode()
        return git_environment({f"http.{self.url}.extraHeader": f"Authorization: Basic {header}"})


class Mirror:
    """Bare copy of a repository's branches and tags on the controller."""

    def __init__(self, repository: Repository, directory: Path) -> None:
        self.repository = repository
        self.directory = directory
        self.environment = repository.environment()
        run("git", "init", "--quiet", "--bare", "--template=", str(directory), environment=self.environment)

    def git(self, *words: str) -> str:
        """Run git in the mirror."""
        return run("git", "--git-dir", str(self.directory), *words, environment=self.environment)

    def fetch(self, *names: str) -> None:
        """Fetch these refspecs from the server."""
        options = ("--quiet", "--force", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")
        self.git("fetch", *options, "--prune", self.repository.url, *names)

    def update(self) -> None:
        """Fetch what the revision may mean. A commit that is there already is not asked for."""
        wanted = self.repository
        if wanted.commit and self.id_of(wanted.commit):
            return
        if wanted.revision:
            self.check_name(wanted.revision)
        names = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
        if wanted.is_default:
            names.append("+HEAD:refs/server/HEAD")
        elif re.match(r"refs/(?!heads/|tags/)", wanted.revision):
            names.append(f"+{wanted.revision}:{wanted.revision}")
        self.fetch(*names)
        if wanted.commit and not self.id_of(wanted.commit):
            self.fetch(wanted.commit)  # of no branch and no tag

    def check_name(self, revision: str) -> None:
        """Refuse a revision that cannot be the name of a branch or a tag: git would read main~1 as an expression."""
        try:
            self.git("check-ref-format", revision if revision.startswith("refs/") else f"refs/heads/{revision}")
        except Problem:
            url = self.repository.url
            raise Problem(f"{url}@{revision}: {revision} cannot be the name of a branch, a tag or a commit") from None

    def id_of(self, name: str) -> str:
        """Return the id of the commit that NAME, a full ref or an id, leads to; empty if there is none."""
        try:
            return self.git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        except Problem:
            return ""

    def resolve(self) -> tuple[str, str]:
        """Find what the revision means.

        A full commit id is that commit, whatever branches and tags are called. Another revision is a tag, a branch or
        the beginning of a commit id, or a full ref.

        Returns:
            The full name of the ref (or the commit id), and the commit id.

        Raises:
            Problem: It means nothing, or more than one thing.
        """
        wanted = self.repository
        if wanted.commit:
            if self.id_of(wanted.commit) != wanted.commit:
                raise Problem(f"{wanted.url} has no commit {wanted.commit}")
            return wanted.commit, wanted.commit
        if wanted.is_default:
            names = ["refs/server/HEAD"]
        elif wanted.revision.startswith("refs/"):
            names = [wanted.revision]
        else:
            names = [f"refs/tags/{wanted.revision}", f"refs/heads/{wanted.revision}"]
            if re.fullmatch(r"[0-9a-f]{7,63}", wanted.revision):
                names.append(self.commit_beginning(wanted.revision))
        found = {name: commit for name in names if name and (commit := self.id_of(name))}
        if not found:
            raise Problem(f"{wanted.url} has no branch, tag or commit {wanted.revision or 'that is its HEAD'}")
        if len(found) > 1:
            raise Problem(
                f"{wanted.revision} means more than one thing in {wanted.url}: {' and '.join(found)}. Write the one"
                f" that is meant: @{next(iter(found))}"
            )
        return next(iter(found.items()))

    def commit_beginning(self, digits: str) -> str:
        """Return the id of the only commit that begins with DIGITS, else empty."""
        found = self.git("rev-parse", f"--disambiguate={digits}").split()
        commits = [each for each in found if self.id_of(each) == each]
        return commits[0] if len(commits) == 1 else ""

    def check_out(self, commit: str, directory: Path) -> None:
        """Make DIRECTORY a clean checkout of COMMIT, with its submodules at the commits it pins."""
        if not directory.exists():
            with tempfile.TemporaryDirectory(dir=directory.parent) as unfinished:
                clone = Path(unfinished, "clone")
                options = ("--quiet", "--shared", "--no-checkout", "--template=")
                run("git", "clone", *options, str(self.directory), str(clone), environment=self.environment)
                clone.rename(directory)
        (directory / ".git/index.lock").unlink(missing_ok=True)  # of a run that was cut off
        for words in (
            # Versions may be made from tags. The URL is what relative URLs of submodules start from.
            ("fetch", "--quiet", "--force", "--prune", str(self.directory), "+refs/tags/*:refs/tags/*"),
            ("remote", "set-url", "origin", self.repository.url),
            ("checkout", "--quiet", "--force", "--detach", commit),
            ("clean", "-ffdxq"),
        ):
            run("git", "-C", str(directory), *words, environment=self.environment)
        if (directory / ".gitmodules").exists():
            run("git", "-C", str(directory), "submodule", *MODULES, environment=self.environment)


def subdirectory(checkout: Path, name: str) -> Path:
    """Return directory NAME of CHECKOUT, which must not lead out of it."""
    directory = (checkout / name).resolve()
    if not directory.is_relative_to(checkout.resolve()):
        raise Problem(f"subdirectory={name} leads out of the repository")
    return directory


def root_of(directory: Path) -> Path:
    """Return the checkout that DIRECTORY is in."""
    return next(each for each in (directory, *directory.parents) if COMMIT_ID.fullmatch(each.name))


def check_out(source: str, cache: Path, signers: str) -> tuple[Path, str, str]:
    """Check out the git revision SOURCE below CACHE.

    Each commit has a directory of its own, so that two runs at once do not change each other's files.

    Args:
        source: git+URL@REVISION#subdirectory=DIRECTORY.
        cache: Directory for the mirror and the checkouts.
        signers: File with the keys of which one must have signed the tag or the commit; empty for none.

    Returns:
        The directory, the URL without its login, and the commit id.

    Raises:
        Problem: It cannot be had, means more than one thing, or is not signed.
    """
    repository = Repository.of(source)
    place = cache / "git" / hashlib.sha256(repository.url.encode()).hexdigest()[:16]
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        mirror = Mirror(repository, place / "mirror.git")
        mirror.update()
        name, commit = mirror.resolve()
        if signers:
            check_signature(mirror.directory, name, commit, signers, mirror.environment)
        checkout = place / commit
        mirror.check_out(commit, checkout)
        forget_old([each for each in place.iterdir() if COMMIT_ID.fullmatch(each.name)], checkout)
    shown = f"{repository.url}@{repository.revision or 'HEAD'}"
    return subdirectory(checkout, repository.subdirectory), shown, commit


def revision_of(directory: Path) -> str:
    """Return the commit that DIRECTORY is a checkout of, with -dirty when files in it differ; empty if it is none."""
    environment = git_environment({})
    git = ("git", "-C", str(directory))
    try:
        commit = run(*git, "rev-parse", "--short=12", "HEAD", environment=environment)
        changes = run(*git, "status", "--porcelain", "--", ".", environment=environment)
    except (Problem, OSError):
        return ""
    return f"{commit}-dirty" if changes else commit
