"""What decides that there is something to deploy: what is shipped, and nothing else."""

from __future__ import annotations

import os
import re
import time
import zipfile
from pathlib import Path

import pytest

from tests.roles.applications import PROJECT, make_application, make_wheel
from tests.roles.sources import build_release, content_of, fetch
from tests.support.modules import ROLES, load

commands = load(ROLES / "messenger_app/files/commands.py")
fingerprint = load(ROLES / "messenger_app/files/fingerprint.py").fingerprint


@pytest.fixture
def application(tmp_path: Path) -> Path:
    return make_application(tmp_path / "app")


def deployed(tmp_path: Path, application: Path) -> str:
    """The fingerprint of the release that a deploy would make now. The kit is a small one, for the sake of time."""
    kit = tmp_path / "kit"
    if not kit.exists():
        make_application(kit)
        (kit / "pyproject.toml").write_text(PROJECT.replace('"shop"', '"messenger-kit"'))
    origin = {"path": str(application), "config_dir": str(application)}
    return build_release(tmp_path, origin, kit=kit)["fingerprint"]


PLACES = (
    "build/rules.py",
    "dist/a.py",
    "var/b.txt",
    "node_modules/c.js",
    ".rules",
    "egg.egg-info/d.py",
    "deep/build/e",
)


def test_a_file_that_ships_counts_wherever_it_lies(tmp_path: Path, application: Path) -> None:
    files = [application / "src/shop" / name for name in PLACES]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("one\n")
    found = [deployed(tmp_path, application)]
    for file in files:
        file.write_text("two\n")
        found.append(deployed(tmp_path, application))
    files[0].rename(files[0].with_name("renamed.py"))
    found.append(deployed(tmp_path, application))
    assert len(set(found)) == len(PLACES) + 2
    assert re.fullmatch("[0-9a-f]{64}", found[0])


def test_what_comes_from_beside_the_source_counts(tmp_path: Path, application: Path) -> None:
    """A wheel may hold files from anywhere."""
    (tmp_path / "common.txt").write_text("one\n")
    with (application / "pyproject.toml").open("a") as project:
        project.write('[tool.hatch.build.targets.wheel.force-include]\n"../common.txt" = "shop/common.txt"\n')
    first = deployed(tmp_path, application)
    (tmp_path / "common.txt").write_text("two\n")
    assert deployed(tmp_path, application) != first


@pytest.mark.parametrize("name", ["requirements.lock", "messenger.yaml"])
def test_the_files_beside_the_wheels_count(tmp_path: Path, application: Path, name: str) -> None:
    first = deployed(tmp_path, application)
    (application / name).write_text("# changed\n")
    assert deployed(tmp_path, application) != first


def test_what_does_not_ship_does_not_count(tmp_path: Path, application: Path) -> None:
    first = deployed(tmp_path, application)
    for name in (".env", "tests/test_shop.py", "var/messenger.db", "src/shop/__pycache__/x.pyc", "dist/x", "notes.md"):
        (application / name).parent.mkdir(exist_ok=True, parents=True)
        (application / name).write_text("x")
    for file in application.rglob("*"):
        os.utime(file, (0, 10**9))
    assert deployed(tmp_path, application) == first


def test_two_builds_of_one_source_make_the_same_archive(tmp_path: Path, application: Path) -> None:
    origin = fetch(tmp_path / "cache", application)
    first, second = (build_release(tmp_path / name, origin) for name in ("one", "two"))
    assert first["fingerprint"] == second["fingerprint"]
    assert Path(first["archive"]).read_bytes() == Path(second["archive"]).read_bytes()


def test_order_and_times_in_a_wheel_do_not_count_and_the_right_to_be_run_does(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "dep", "x = 1\n")
    with zipfile.ZipFile(wheel) as content:
        members = [(info.filename, content.read(info)) for info in content.infolist()]

    def again(name: str, mode: int, year: int) -> Path:
        made = tmp_path / name / wheel.name
        made.parent.mkdir()
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, data in reversed(members):
                info = zipfile.ZipInfo(member, (year, 1, 1, 0, 0, 0))
                info.external_attr = mode << 16
                archive.writestr(info, data)
        return made

    first = fingerprint([("w", wheel)])
    assert fingerprint([("w", again("same", 0o644, 1999))]) == first
    assert fingerprint([("w", again("runs", 0o755, 1999))]) != first


def test_what_is_packed_is_what_was_counted(tmp_path: Path, application: Path) -> None:
    """The lock file that names the environment is the one in the archive, also when the source changes meanwhile."""
    (application / "requirements.lock").write_text("# one\n")
    built = build_release(tmp_path, fetch(tmp_path / "cache", application))
    (application / "requirements.lock").write_text("# two\n")
    assert Path(built["config_dir"], "requirements.lock").read_text() == "# one\n"
    assert content_of(built["archive"])["requirements.lock"] == b"# one\n"
    assert built["fingerprint"] in built["archive"]


def test_what_was_built_long_ago_is_removed_and_what_a_run_may_still_need_is_not(tmp_path: Path) -> None:
    for name, days in (("latest", 9), ("second", 2), ("third", 3), ("fourth", 4), ("fifth", 5)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - days * 86400,) * 2)
    for name in ("fresh", "fresher", "freshest"):
        (tmp_path / name).mkdir()
    commands.forget_old(list(tmp_path.iterdir()), tmp_path / "latest")
    assert {entry.name for entry in tmp_path.iterdir()} == {"latest", "fresh", "fresher", "freshest"}
    for name in ("fresh", "fresher", "freshest"):
        os.utime(tmp_path / name, (time.time() - 10 * 86400,) * 2)
    os.utime(tmp_path / "fresh", (0, 0))
    commands.forget_old(list(tmp_path.iterdir()), tmp_path / "latest")
    assert {entry.name for entry in tmp_path.iterdir()} == {"latest", "fresher", "freshest"}
