"""Trees that root sealed: what differs later is found; marks, whoever may have planted them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.roles.app_host import ROOT, USERS, app_directory, module, releases
from tests.roles.messenger_app.test_releases import make_release
from tests.support.modules import MODULES, answer_of, load

VERIFY, RUN = (MODULES / f"{name}.py" for name in ("verify_info", "run_as"))
look = load(MODULES / "host_info.py")
RELEASE = "20260101T000000Z-00000001"
needs_root = pytest.mark.skipif(not ROOT, reason="root alone may give files away")


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A sealed release with a few files and links."""
    made = make_release(tmp_path, RELEASE)
    (made / "venv/lib/code.py").write_text("print(1)\n")
    (made / "venv/lib/other.py").write_text("print(2)\n")
    (made / "venv/bin/run").write_text("#!/bin/sh\n")
    (made / "venv/bin/run").chmod(0o700)
    module.seal(made, os.getgid())
    module.set_mark(made, "ready", "0123")
    module.seal(tmp_path / "environments/one", os.getgid())
    return made


def verify(release: Path) -> list[str]:
    answer = answer_of(VERIFY, {"root": str(release.parents[1])}, check_mode=True)
    assert (answer["changed"], answer["verified"]) == (False, 2)
    assert all(each["path"] == str(release) for each in answer["different"])
    return [line for each in answer["different"] for line in each["differences"]]


def test_a_release_is_what_was_sealed(release: Path) -> None:
    module.set_mark(release, "good", RELEASE)
    assert verify(release) == []
    assert (release / "venv/bin/run").stat().st_mode & 0o777 == 0o750
    assert (release / "venv/lib/code.py").stat().st_mode & 0o777 == 0o640
    assert (release / ".manifest").stat().st_mode & 0o777 == 0o600


def change(release: Path) -> None:
    file = release / "venv/lib/code.py"
    before = file.stat()
    file.write_text("print(3)\n")  # as long as before
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def make_endless(release: Path) -> None:
    with (release / "venv/lib/code.py").open("r+b") as file:
        file.truncate(1 << 42)


def make_pipe(release: Path) -> None:
    (release / "venv/lib/code.py").unlink()
    os.mkfifo(release / "venv/lib/code.py")


def make_link(release: Path) -> None:
    (release / "venv/lib/code.py").rename(release.parent / "code.py")
    (release / "venv/lib/code.py").symlink_to(release.parent / "code.py")


def make_another_link(release: Path) -> None:
    (release / "environment").unlink()
    (release / "environment").symlink_to("../../environments/two")


def plant(release: Path) -> None:
    (release / "venv/lib/planted\x1b[2J.pth").write_text("import os\n")


def make_directory_link(release: Path) -> None:
    (release / "venv/lib").rename(release.parent / "lib")
    (release / "venv/lib").symlink_to(release.parent / "lib")


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (change, ["venv/lib/code.py has another content"]),
        (make_endless, ["venv/lib/code.py has another content"]),
        (make_pipe, ["venv/lib/code.py has another content"]),
        (make_link, ["venv/lib/code.py has another content"]),
        (make_another_link, ["environment has another content"]),
        (plant, ["venv/lib/planted\\x1b[2J.pth is new"]),
        (lambda release: (release / "venv/lib/other.py").unlink(), ["venv/lib/other.py is missing"]),
        (lambda release: (release / "venv/bin/run").chmod(0o4755), ["venv/bin/run has mode 4755 instead of 0750"]),
        (lambda release: (release / ".manifest").write_text("[]"), ["it has no manifest that can be read"]),
        (lambda release: (release / ".manifest").write_text('{"a": 1}'), ["it has no manifest that can be read"]),
        (lambda release: (release / ".manifest").chmod(0o666), ["its manifest is not root's"]),
        (lambda release: (release / ".manifest").unlink(), ["it has no manifest that can be read"]),
    ],
)
def test_what_was_changed_since_is_found(release: Path, tamper: Callable[[Path], object], said: list[str]) -> None:
    tamper(release)
    assert verify(release) == said


def test_a_directory_that_became_a_link_is_not_followed(release: Path) -> None:
    make_directory_link(release)
    said = verify(release)
    assert "venv/lib has another content" in said
    assert "venv/lib/code.py is missing" in said


@needs_root
def test_another_owner_is_found(release: Path) -> None:
    os.chown(release / "venv/lib/code.py", USERS["shop"].uid, -1)
    uid, gid = USERS["shop"].uid, os.getgid()
    assert verify(release) == [f"venv/lib/code.py has owner {uid}:{gid} instead of 0:{gid}"]


# Marks


def planted_marks(release: Path) -> dict[str, Callable[[], object]]:
    """What a user might plant who had been given the directory."""
    secret = release.parent / "secret"
    secret.write_text("root's secret")
    mark = release / ".bad"
    return {
        "a link": lambda: mark.symlink_to(secret),
        "a pipe": lambda: os.mkfifo(mark),
        "a device": lambda: mark.symlink_to("/dev/zero"),
        "a directory": mark.mkdir,
        "a file that everybody may change": lambda: os.close(os.open(mark, os.O_CREAT, 0o666)),
    }


@pytest.mark.parametrize("which", ["a link", "a pipe", "a device", "a directory", "a file that everybody may change"])
def test_a_mark_that_root_did_not_set_is_none(release: Path, which: str) -> None:
    before = os.umask(0)
    planted_marks(release)[which]()
    os.umask(before)
    (found,) = releases.releases(release.parents[1])
    assert (found["state"], found["why"]) == ("ready", "")


@needs_root
def test_a_directory_of_somebody_else_has_no_marks(release: Path) -> None:
    """As an application's user has it who plants a whole environment or release."""
    os.chown(release, USERS["shop"].uid, -1)
    (found,) = releases.releases(release.parents[1])
    assert (found["state"], found["fingerprint"]) == ("building", "")
    environment = release.parents[1] / "environments/one"
    assert releases.whole_environments(release.parents[1]) == ["one"]
    os.chown(environment, USERS["shop"].uid, -1)
    assert releases.whole_environments(release.parents[1]) == []


def test_what_root_prints_of_a_mark_is_one_line_of_bounded_length(release: Path) -> None:
    module.set_mark(release, "bad", "it said \x1b]0;title\x07 " + "x" * 100_000 + "\r\nforged line")
    (found,) = releases.releases(release.parents[1])
    assert found["why"].startswith("it said \\x1b]0;title\\x07 xxx")
    assert len(found["why"]) < 1010
    assert found["why"].isprintable()


def test_of_many_processes_the_first_are_named(release: Path) -> None:
    sleepers = [subprocess.Popen(["sleep", "600"], cwd=release) for _ in range(30)]
    try:
        (found,) = releases.releases(release.parents[1])
    finally:
        for each in sleepers:
            each.kill()
            each.wait()
    assert found["processes"] == 30
    assert found["pids"] == sorted(each.pid for each in sleepers)[:20]


@needs_root
def test_a_process_of_another_application_holds_no_release_by_its_name(release: Path) -> None:
    """It calls itself as an interpreter of the release is called."""
    code = "import os, sys; os.execv('/bin/sleep', [sys.argv[1], '600'])"
    command = ["/usr/bin/python3", "-c", code, str(release / "venv/bin/python")]
    os.chown(release, 0, USERS["shop"].gid)
    for group, held in ((USERS["shop-build"].gid, 0), (USERS["shop"].gid, 1)):
        with subprocess.Popen(command, user=USERS["shop-build"].uid, group=group, extra_groups=[]) as process:
            while Path(f"/proc/{process.pid}/comm").read_text() != "sleep\n":
                pass
            (found,) = releases.releases(release.parents[1])
            process.kill()
        assert found["processes"] == held


# The way to what root uses


def test_a_way_that_only_root_may_change() -> None:
    assert look.exposed(["/srv/shop", "/usr/bin/python3"]) == []
    assert look.exposed(["/tmp/shop"]) == ["/tmp"]


@needs_root
@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777])
def test_a_way_that_others_may_change_is_exposed(mode: int) -> None:
    with app_directory() as directory:
        way = directory / "home"
        way.mkdir()
        (directory / "link").symlink_to(way)
        for path in (way / "shop", directory / "link/shop"):
            assert str(way) not in look.exposed([str(path)])
            way.chmod(mode)
            assert str(way) in look.exposed([str(path)])
            way.chmod(0o755)
            os.chown(way, USERS["shop"].uid, -1)
            assert str(way) in look.exposed([str(path)])
            os.chown(way, 0, -1)


# Commands


def test_what_a_command_of_the_application_writes_is_fit_for_a_terminal() -> None:
    name = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    user = "nobody" if ROOT else name
    code = "import sys; print('\\x1b[2Jone\\ntwo'); print('x' * 5000, file=sys.stderr); sys.exit(3)"
    answer = answer_of(RUN, {"user": user, "command": ["/usr/bin/python3", "-c", code]}, check_mode=True)
    assert (answer["changed"], answer["rc"]) == (False, 3)
    assert answer["stdout"] == "\\x1b[2Jone\ntwo"
    assert len(answer["stderr"]) == 1000
    answer = answer_of(RUN, {"user": user, "command": ["printf", '{"a": "\\\\u001b"}']})
    assert answer["stdout"] == '{"a": "\\u001b"}'
    answer = answer_of(RUN, {"user": user, "command": ["sleep", "600"], "seconds": 0.5})
    assert (answer["rc"], answer["stderr"]) == (-9, "it did not end within 0.5 s")


@pytest.mark.parametrize(("user", "said"), [("root", "is root"), ("a-user-who-is-not-there", "there is no user")])
@needs_root
def test_a_command_is_never_run_as_root(user: str, said: str) -> None:
    answer = answer_of(RUN, {"user": user, "command": ["id"]})
    assert answer["failed"]
    assert said in answer["msg"]
