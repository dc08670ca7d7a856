"""messenger_app_source from git: exactly the revision that was named, with the real git, ssh-keygen and gpg."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.roles.applications import commit, git, make_application, make_repository, web_server
from tests.roles.sources import fetch

LOGIN = "reader:s3cret-w0rd"


def which(origin: dict[str, str]) -> str:
    assert "problem" not in origin, origin
    return (Path(origin["path"]) / "src/shop/__init__.py").read_text().strip()


def test_a_git_revision(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop")
    url = f"git+file://{repository}"
    second = git(repository, "rev-parse", "HEAD")
    git(repository, "tag", "v2")
    origin = fetch(tmp_path / "cache", url)
    assert (which(origin), origin["revision"]) == ("WHICH = 2", second[:12])
    third = commit(repository, 3)
    for revision, number in (
        ("", 3),
        ("@main", 3),
        ("@v2", 2),
        (f"@{second}", 2),
        (f"@{third}", 3),
        (f"@{third[:8]}", 3),
    ):
        origin = fetch(tmp_path / "cache", url + revision)
        assert which(origin) == f"WHICH = {number}"
    # What a branch meant once, and what was left in the checkout, do not matter.
    git(repository, "checkout", "--quiet", "-b", "feature/x")
    fourth = commit(repository, 4)
    (Path(origin["path"]) / "left.txt").write_text("x")
    assert not (Path(fetch(tmp_path / "cache", f"{url}@{third}")["path"]) / "left.txt").exists()
    assert which(fetch(tmp_path / "cache", f"{url}@feature/x")) == "WHICH = 4"
    assert "no branch, tag or commit v9" in fetch(tmp_path / "cache", f"{url}@v9")["problem"]
    # Nor does a tag that is gone, or one that moved.
    git(repository, "tag", "--force", "v2", fourth)
    assert which(fetch(tmp_path / "cache", f"{url}@v2")) == "WHICH = 4"
    git(repository, "tag", "--delete", "v2")
    assert "no branch, tag or commit v2" in fetch(tmp_path / "cache", f"{url}@v2")["problem"]


@pytest.mark.parametrize("kind", ["branch", "tag"])
def test_a_full_commit_id_is_that_commit_whatever_branches_and_tags_are_called(tmp_path: Path, kind: str) -> None:
    repository = make_repository(tmp_path / "shop")
    second = git(repository, "rev-parse", "HEAD")
    third = commit(repository, 3)
    git(repository, "update-ref", f"refs/{'heads' if kind == 'branch' else 'tags'}/{second}", third)
    absent = "12" * 20
    git(repository, "update-ref", f"refs/{'heads' if kind == 'branch' else 'tags'}/{absent}", third)
    url = f"git+file://{repository}"
    assert which(fetch(tmp_path / "cache", f"{url}@{second}")) == "WHICH = 2"
    assert which(fetch(tmp_path / "cache", f"{url}@{second.upper()}")) == "WHICH = 2"
    assert "problem" in fetch(tmp_path / "cache", f"{url}@{absent}")


def test_the_id_of_something_else_than_a_commit_is_refused(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop")
    git(repository, "tag", "--annotate", "v2", "--message", "two")
    tag = git(repository, "rev-parse", "v2")
    assert f"no commit {tag}" in fetch(tmp_path / "cache", f"git+file://{repository}@{tag}")["problem"]


def test_a_name_that_means_two_things_is_refused_and_can_be_written_out(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop")
    git(repository, "tag", "v2")
    short = git(repository, "rev-parse", "--short=10", "HEAD")
    commit(repository, 3)
    git(repository, "branch", "v2")
    git(repository, "tag", short)
    url = f"git+file://{repository}"
    problem = fetch(tmp_path / "cache", f"{url}@v2")["problem"]
    assert "refs/tags/v2 and refs/heads/v2" in problem
    assert which(fetch(tmp_path / "cache", f"{url}@refs/tags/v2")) == "WHICH = 2"
    assert which(fetch(tmp_path / "cache", f"{url}@refs/heads/v2")) == "WHICH = 3"
    assert f"refs/tags/{short} and {short}" in fetch(tmp_path / "cache", f"{url}@{short}")["problem"]


@pytest.mark.parametrize(
    "revision", ["main~1", "main^", ":/first", "-x", "main:src", "ma*n", "refs/pull/*/head", "a..b"]
)
def test_what_git_would_read_as_an_expression_or_an_option_is_no_revision(tmp_path: Path, revision: str) -> None:
    repository = make_repository(tmp_path / "shop")
    commit(repository, 3)
    origin = fetch(tmp_path / "cache", f"git+file://{repository}@{revision}")
    assert f"@{revision}" in origin["problem"] or f"commit {revision}" in origin["problem"]


def test_a_ref_of_another_kind_is_written_out(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop")
    git(repository, "checkout", "--quiet", "--detach")
    git(repository, "update-ref", "refs/pull/7/head", commit(repository, 7))
    assert which(fetch(tmp_path / "cache", f"git+file://{repository}@refs/pull/7/head")) == "WHICH = 7"


def test_an_application_deeper_in_a_repository(tmp_path: Path) -> None:
    repository = tmp_path / "all"
    make_application(repository / "worker")
    (repository / "out").symlink_to("/etc")
    git(repository, "init", "--quiet")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "first")
    url = f"git+file://{repository}"
    assert which(fetch(tmp_path / "cache", f"{url}#subdirectory=worker")) == "WHICH = 1"
    assert "has no requirements.lock" in fetch(tmp_path / "cache", url)["problem"]
    for outside in ("..", "/etc", "out"):
        assert "leads out of the repository" in fetch(tmp_path / "cache", f"{url}#subdirectory={outside}")["problem"]


def test_a_repository_cannot_ship_a_file_of_the_controller(tmp_path: Path) -> None:
    repository = make_application(tmp_path / "shop")
    (tmp_path / "private").write_text("password: s3cret\n")
    (repository / "messenger.yaml").unlink()
    (repository / "messenger.yaml").symlink_to(tmp_path / "private")
    git(repository, "init", "--quiet")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "first")
    assert "leads out of the repository" in fetch(tmp_path / "cache", f"git+file://{repository}")["problem"]


def test_the_login_of_a_repository_gets_in_and_not_out(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop")
    git(repository, "update-server-info")
    with web_server(tmp_path, LOGIN) as address:
        origin = fetch(tmp_path / "cache", f"git+http://{LOGIN}@{address}/shop/.git")
        assert which(origin) == "WHICH = 2"
        assert origin["shown"] == f"http://{address}/shop/.git@HEAD"
        kept = [file for file in (tmp_path / "cache").rglob("*") if file.is_file()]
        assert not [file for file in kept if b"s3cret" in file.read_bytes()]
        wrong = fetch(tmp_path / "other", f"git+http://reader:s3cret@{address}/shop/.git")
        assert "problem" in wrong


def test_the_operator_s_git_runs_no_program_for_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = make_repository(tmp_path / "shop")
    ran = tmp_path / "ran"
    # The way a submodule would take.
    git(repository, "checkout", "--quiet", "-b", "modules")
    (repository / ".gitmodules").write_text(f'[submodule "m"]\npath = m\nurl = ext::touch {ran}\n')
    git(repository, "update-index", "--add", "--cacheinfo", f"160000,{git(repository, 'rev-parse', 'HEAD')},m")
    git(repository, "add", ".gitmodules")
    git(repository, "commit", "--quiet", "--message", "module")
    git(repository, "checkout", "--quiet", "main")
    hook = tmp_path / "template/hooks/post-checkout"
    hook.parent.mkdir(parents=True)
    hook.write_text(f"#!/bin/sh\ntouch {ran}\n")
    hook.chmod(0o755)
    config = tmp_path / "gitconfig"
    config.write_text(
        f"[init]\ntemplateDir = {tmp_path}/template\n[core]\nhooksPath = {hook.parent}\nfsmonitor = {hook}\n"
        '[protocol "ext"]\nallow = always\n'
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert which(fetch(tmp_path / "cache", f"git+file://{repository}")) == "WHICH = 2"
    assert "begin with one of" in fetch(tmp_path / "cache", f"git+ext::touch {ran}://x/y")["problem"]
    assert "ext" in fetch(tmp_path / "cache", f"git+file://{repository}@modules")["problem"]
    assert not ran.exists()


class Signer:
    """Makes keys, and commits and tags that are signed with them."""

    def __init__(self, root: Path, repository: Path) -> None:
        self.root = root
        self.repository = repository

    def ssh_key(self, name: str) -> str:
        """Make a key; the line for an allowed-signers file."""
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(self.root / name)]
        subprocess.run(command, check=True)
        return f"{name}@example.org " + (self.root / f"{name}.pub").read_text()

    def git(self, key: str, *words: str) -> None:
        settings = ["-c", "gpg.format=ssh", "-c", f"user.signingKey={self.root / key}"]
        git(self.repository, *settings, *words)

    def commit(self, key: str, number: int) -> str:
        """A signed commit on main."""
        commit(self.repository, number)
        self.git(key, "commit", "--quiet", "--amend", "--no-edit", "-S")
        return git(self.repository, "rev-parse", "HEAD")


def test_a_signature_of_a_key_that_was_named_is_required(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop")
    signer = Signer(tmp_path, repository)
    signers = tmp_path / "allowed_signers"
    signers.write_text(signer.ssh_key("ann"))
    signer.ssh_key("eve")
    url, rule = f"git+file://{repository}", {"signers": str(signers)}
    assert "is not signed by a key in" in fetch(tmp_path / "cache", url, **rule)["problem"]
    third = signer.commit("ann", 3)
    for revision in ("", "@main", f"@{third}"):
        assert which(fetch(tmp_path / "cache", url + revision, **rule)) == "WHICH = 3"
    signer.git("eve", "tag", "--sign", "--message", "four", "by-eve")
    assert "tag refs/tags/by-eve is not signed" in fetch(tmp_path / "cache", f"{url}@by-eve", **rule)["problem"]
    fourth = signer.commit("eve", 4)
    assert "is not signed by a key in" in fetch(tmp_path / "cache", f"{url}@{fourth}", **rule)["problem"]
    assert which(fetch(tmp_path / "cache", f"{url}@{fourth}")) == "WHICH = 4"
    # Her tag vouches for another's commit, and only under its own name.
    signer.git("ann", "tag", "--sign", "--message", "four", "v4")
    assert which(fetch(tmp_path / "cache", f"{url}@v4", **rule)) == "WHICH = 4"
    git(repository, "update-ref", "refs/tags/v5", "refs/tags/v4")
    assert "a tag of another name" in fetch(tmp_path / "cache", f"{url}@v5", **rule)["problem"]
    # A tag without a signature is only a name for its commit.
    git(repository, "tag", "--annotate", "--message", "three", "v3", third)
    assert which(fetch(tmp_path / "cache", f"{url}@v3", **rule)) == "WHICH = 3"
    assert "There is no file" in fetch(tmp_path / "cache", url, signers=str(tmp_path / "none"))["problem"]
    assert "holds no signature" in fetch(tmp_path / "cache", repository, **rule)["problem"]


def test_keys_of_openpgp_count_and_those_of_the_operator_s_own_keyring_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = make_repository(tmp_path / "shop")
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(home))
    for name in ("ann", "eve"):
        make = [
            "--batch",
            "--quiet",
            "--passphrase",
            "",
            "--quick-generate-key",
            f"{name}@example.org",
            "ed25519",
            "sign",
        ]
        subprocess.run(["gpg", *make], check=True, capture_output=True)
    keyring = tmp_path / "ann.asc"
    subprocess.run(["gpg", "--armor", "--output", keyring, "--export", "ann@example.org"], check=True)
    url, rule = f"git+file://{repository}", {"signers": str(keyring)}
    try:
        for name, number in (("ann", 3), ("eve", 4)):
            commit(repository, number)
            git(repository, "commit", "--quiet", "--amend", "--no-edit", f"-S{name}@example.org")
            git(repository, "tag", name)
    finally:
        subprocess.run(["gpgconf", "--kill", "all"], env=os.environ | {"GNUPGHOME": str(home)}, check=True)
    assert which(fetch(tmp_path / "cache", f"{url}@ann", **rule)) == "WHICH = 3"
    assert "is not signed by a key in" in fetch(tmp_path / "cache", f"{url}@eve", **rule)["problem"]
    binary = tmp_path / "ann.gpg"
    subprocess.run(["gpg", "--output", binary, "--export", "ann@example.org"], check=True)
    assert which(fetch(tmp_path / "cache", f"{url}@ann", signers=str(binary))) == "WHICH = 3"
