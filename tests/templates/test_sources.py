"""What messenger_app_source may be: each kind is fetched and built with the real git and pip."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.templates.applications import (
    build,
    commit,
    git,
    make_application,
    make_config,
    make_index,
    make_repository,
    make_wheel,
    pinned,
    web_server,
)
from tests.templates.modules import answer_of
from tests.templates.render import ROLES, ROOT, evaluate

FILES = ROLES / "messenger_app/files"
LOGIN = "reader:s3cret-w0rd"


def run(script: str, **asked: Any) -> subprocess.CompletedProcess[str]:
    """One of the role's scripts, as the role runs it."""
    command = [sys.executable, "-B", str(FILES / script)]
    return subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True)


def fetch(cache: Path, source: str | Path, config_dir: str | Path = "", index_url: str = "") -> dict[str, str]:
    asked = {"source": source, "config_dir": config_dir, "index_url": index_url, "cache": cache, "kit": ROOT}
    ran = run("fetch_source.py", **{name: str(value) for name, value in asked.items()})
    assert ran.returncode == 0, ran.stderr
    assert "s3cret" not in ran.stdout + ran.stderr
    answer: dict[str, str] = json.loads(ran.stdout)
    return answer


def which(origin: dict[str, str]) -> str:
    return (Path(origin["path"]) / "src/shop/__init__.py").read_text().strip()


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("/opt/apps/shop", "shop"),
        ("/opt/apps/shop-2.0/", "shop-2.0"),
        ("git+https://git.example.org/team/shop.git@feature/x", "shop"),
        ("git+ssh://git@git.example.org/team/shop@v1", "shop"),
        ("git+file:///opt/shop.git#subdirectory=worker", "shop"),
        ("/tmp/shop-1.2.3-py3-none-any.whl", "shop"),
        ("/tmp/shop-1.2.3.tar.gz", "shop"),
        ("Shop==1.2", "shop"),
        ("shop[fast]==1.2", "shop"),
    ],
)
def test_the_application_is_called_what_its_source_is_called(source: str, name: str) -> None:
    assert evaluate("{{ messenger_app_name }}", "messenger_app", messenger_app_source=source) == name


def test_a_directory_says_which_revision_it_is(tmp_path: Path) -> None:
    application = make_application(tmp_path / "plain")
    found = fetch(tmp_path, application)
    assert re.fullmatch("[0-9a-f]{8}", found.pop("fingerprint"))
    assert found == {
        "path": str(application), "config_dir": str(application), "shown": str(application), "revision": ""
    }  # fmt: skip
    repository = make_repository(tmp_path / "shop")
    head = git(repository, "rev-parse", "--short=12", "HEAD")
    assert fetch(tmp_path, repository)["revision"] == head
    (repository / "new.txt").write_text("x")
    assert fetch(tmp_path, repository)["revision"] == f"{head}-dirty"


def test_a_git_revision(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop")
    url = f"git+file://{repository}"
    second = git(repository, "rev-parse", "HEAD")
    git(repository, "tag", "v2")
    origin = fetch(tmp_path / "cache", url)
    assert (which(origin), origin["revision"]) == ("WHICH = 2", second[:12])
    third = commit(repository, 3)
    for revision, number in (("", 3), ("@main", 3), ("@v2", 2), (f"@{second}", 2), (f"@{third}", 3)):
        origin = fetch(tmp_path / "cache", url + revision)
        assert which(origin) == f"WHICH = {number}"
    # What a branch meant once, and what was left in the checkout, do not matter.
    git(repository, "checkout", "--quiet", "-b", "feature/x")
    commit(repository, 4)
    (Path(origin["path"]) / "left.txt").write_text("x")
    origin = fetch(tmp_path / "cache", f"{url}@feature/x")
    assert which(origin) == "WHICH = 4"
    assert not (Path(origin["path"]) / "left.txt").exists()
    assert "no branch, tag or commit v9" in fetch(tmp_path / "cache", f"{url}@v9")["problem"]


def test_an_application_deeper_in_a_repository(tmp_path: Path) -> None:
    repository = tmp_path / "all"
    make_application(repository / "worker")
    git(repository, "init", "--quiet")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "first")
    assert which(fetch(tmp_path / "cache", f"git+file://{repository}#subdirectory=worker")) == "WHICH = 1"
    assert "has no requirements.lock" in fetch(tmp_path / "cache", f"git+file://{repository}")["problem"]


def test_the_login_of_a_repository_gets_in_and_not_out(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "shop")
    git(repository, "update-server-info")
    with web_server(tmp_path, LOGIN) as address:
        origin = fetch(tmp_path / "cache", f"git+http://{LOGIN}@{address}/shop/.git")
        assert which(origin) == "WHICH = 2"
        assert origin["shown"] == f"http://{address}/shop/.git@HEAD"
        assert "s3cret" not in (Path(origin["path"]) / ".git/config").read_text()
        wrong = fetch(tmp_path / "other", f"git+http://reader:s3cret@{address}/shop/.git")
        assert "problem" in wrong


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_a_file_needs_its_settings_beside_it(tmp_path: Path, kind: str) -> None:
    file = build(make_application(tmp_path / "app"), tmp_path / "dist", kind)
    assert "needs messenger_app_config_dir" in fetch(tmp_path, file)["problem"]
    config = make_config(tmp_path / "config", "# nothing\n")
    origin = fetch(tmp_path, file, config)
    assert release_of(tmp_path, origin) == {"wheels/shop-1.0-py3-none-any.whl", "requirements.lock", "messenger.yaml"}


def test_a_release_of_an_index_with_a_login(tmp_path: Path) -> None:
    make_index(tmp_path / "simple", build(make_application(tmp_path / "app"), tmp_path / "dist", "wheel"))
    config = make_config(tmp_path / "config")
    with web_server(tmp_path, LOGIN) as address:
        index = f"http://{LOGIN}@{address}/simple/"
        origin = fetch(tmp_path / "cache", "shop==1.0", config, index)
        assert Path(origin["path"]).name == "shop-1.0-py3-none-any.whl"
        assert origin["shown"] == "shop==1.0"
        assert "shop==2.0" in fetch(tmp_path / "cache", "shop==2.0", config, index)["problem"]
        refused = fetch(tmp_path / "cache", "shop==1.0", config, f"http://reader:s3cret@{address}/simple/")
        assert "problem" in refused


def test_what_is_no_application_says_what_one_is(tmp_path: Path) -> None:
    for source, said in (
        (tmp_path / "nothing", "There is no"),
        (tmp_path, "has no requirements.lock"),
        ("git+nonsense", "is no git URL"),
    ):
        assert said in fetch(tmp_path / "cache", source)["problem"]


def release_of(tmp_path: Path, origin: dict[str, str]) -> set[str]:
    """Names in the archive that is built of ORIGIN, without the kit's wheel."""
    ran = run("build_wheels.py", **origin, kit=str(ROOT), work=str(tmp_path / "work"), isolation=False)
    assert ran.returncode == 0, ran.stderr
    with tarfile.open(tmp_path / "work/release.tar") as tar:
        return {name for name in tar.getnames() if "messenger_kit" not in name}


def host(**other: Any) -> dict[str, Any]:
    """What the module messenger_app_look says of this machine."""
    asked = {
        "asked_at": 1,
        "root": "/",
        "user": "daemon",
        "builder": "bin",
        "package": "dpkg",
        "python": sys.executable,
    }
    return answer_of(FILES.parent / "library/messenger_app_look.py", asked) | other


def ship(tmp_path: Path, lock: str, index: Path, target: dict[str, Any]) -> set[str] | str:
    """The wheels that are shipped, or why not."""
    config = make_config(tmp_path / "config", lock)
    archive = tmp_path / "shipped.tar"
    archive.unlink(missing_ok=True)
    asked = {"lock": str(config / "requirements.lock"), "archive": str(archive), "index_url": f"file://{index}"}
    ran = run("fetch_dependencies.py", **asked, host=target)
    if ran.returncode != 0:
        return ran.stderr
    with tarfile.open(archive) as tar:
        return set(tar.getnames())


def test_dependencies_are_fetched_for_the_host_and_by_their_hashes(tmp_path: Path) -> None:
    pure = make_wheel(tmp_path, "pure", "")
    newer = make_wheel(tmp_path, "newer", "", tag="cp313-abi3-manylinux_2_17_x86_64")
    source = build(make_application(tmp_path / "app"), tmp_path / "dist", "sdist")
    index = make_index(tmp_path / "simple", pure, newer, source)
    here = host()
    later = {**here["markers"], "python_version": "3.13", "python_full_version": "3.13.1", "platform_machine": "x86_64"}
    there = host(soabi="cpython-313-x86_64-linux-gnu", python="3.13", libc="glibc 2.41", markers=later)
    lock = pinned(pure) + pinned(newer, "python_version >= '3.13'") + pinned(pure, "sys_platform == 'win32'")
    here["markers"]["python_version"] = "3.11"
    assert ship(tmp_path, lock, index, here) == {pure.name}
    assert ship(tmp_path, lock, index, there) == {pure.name, newer.name}
    # Only a machine like the hosts can build what is there as source.
    assert ship(tmp_path, pinned(source), index, here) == {"shop-1.0-py3-none-any.whl"}
    assert "cannot build one" in ship(tmp_path, pinned(source), index, there)
    tampered = make_wheel(tmp_path / "tampered", "pure", "evil = 1\n")
    assert "do not match" in str(ship(tmp_path, pinned(tampered), index, here)).lower()
