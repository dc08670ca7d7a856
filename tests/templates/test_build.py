"""A release is put together with a real Python and pip: what it shares with others, and what it keeps to itself."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.templates.applications import make_config, make_wheel
from tests.templates.modules import load
from tests.templates.test_releases import APP, releases

module = load(APP / "library/messenger_app_build.py")
FIRST, SECOND, THIRD = (f"2026010{number}T000000Z-0000000{number}" for number in (1, 2, 3))


class Host:
    """A host's application directory, and what a controller would copy to it."""

    def __init__(self, root: Path) -> None:
        self.root = root / "srv"
        self.parts = root / "parts"
        for name in ("releases", "environments", "shared/var"):
            (self.root / name).mkdir(parents=True)
        entry = pwd.getpwuid(os.getuid())
        self.owner = module.Owner(entry.pw_name, entry.pw_uid, entry.pw_gid, str(root))
        self.dependency = make_wheel(self.parts, "dep", "VALUE = 'dep'\n")

    def archive(self, name: str, *files: tuple[str, Path]) -> str:
        with tarfile.open(self.parts / name, "w") as tar:
            for inside, file in files:
                tar.add(file, inside)
        return str(self.parts / name)

    def build(self, release: str, environment: str, content: str = "", needs: str = "", **other: Any) -> bool:
        """Build RELEASE, whose application needs a package; whether its environment was built."""
        config = make_config(self.parts / "config")
        wheel = make_wheel(self.parts / release, "shop", content or f"import dep\nWHICH = '{release}'\n", needs=needs)
        lazy = make_wheel(self.parts / release, "late", f"WHICH = '{release}'\n")
        files = [(f"wheels/{file.name}", file) for file in (wheel, lazy)]
        files += [(name, config / name) for name in ("requirements.lock", "messenger.yaml")]
        asked: dict[str, Any] = {
            "root": str(self.root),
            "release": release,
            "environment": environment,
            "archive": self.archive("release.tar", *files),
            "dependencies": self.archive("dependencies.tar", (self.dependency.name, self.dependency)),
            "python": str(Path(sys.executable).resolve()),
            "built": {"fingerprint": release[-8:]},
        }
        built: bool = module.build_release(asked | other, self.owner)
        return built

    def release(self, release: str) -> Path:
        return self.root / "releases" / release

    def python(self, release: str, code: str) -> str:
        command = [str(self.release(release) / "venv/bin/python"), "-c", code]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def found(self) -> dict[str, tuple[str, bool]]:
        return {each["id"]: (each["state"], each["fits"]) for each in releases.releases(self.root)}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_releases_share_an_environment_and_nothing_else(host: Host) -> None:
    assert host.build(FIRST, "env1")
    assert not host.build(SECOND, "env1")
    assert host.build(THIRD, "env2")
    for release, environment in ((FIRST, "env1"), (SECOND, "env1"), (THIRD, "env2")):
        said = host.python(release, "import shop, dep; print(shop.WHICH, shop.__file__, dep.__file__)").split()
        assert said[0] == release
        assert said[1].startswith(str(host.release(release)))
        assert said[2].startswith(str(host.root / "environments" / environment))
        assert (host.release(release) / ".ready").read_text().strip() == release[-8:]
        assert (host.release(release) / "REVISION").read_text().strip() == release
    assert "shop" not in "".join(path.name for path in (host.root / "environments").rglob("*"))
    assert host.found() == dict.fromkeys((THIRD, SECOND, FIRST), ("ready", True))
    # An environment goes with the last release that uses it.
    (host.root / "environments/half").mkdir()
    for going, unused in (([], ["half"]), ([FIRST], ["half"]), ([FIRST, SECOND], ["env1", "half"])):
        assert [entry.name for entry in releases.unused(host.root, going)] == unused


def test_a_process_stays_on_its_release_when_current_moves(host: Host) -> None:
    """Started through `current`, as Supervisor starts workers; what it imports later is its own release's too."""
    host.build(FIRST, "env1")
    host.build(SECOND, "env1")
    current = host.root / "current"
    current.symlink_to(f"releases/{FIRST}")
    script = host.release(FIRST) / "venv/bin/worker"
    script.write_text(
        f"#!{host.release(FIRST)}/venv/bin/python\n"
        "import shop\nprint('up', flush=True)\ninput()\nimport late\nprint(shop.WHICH, late.WHICH)\n"
    )
    script.chmod(0o755)
    with subprocess.Popen(
        [current / "venv/bin/worker"], cwd=current, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        current.unlink()
        current.symlink_to(f"releases/{SECOND}")
        assert process.communicate("\n")[0].split() == [FIRST, FIRST]


def test_what_was_cut_off_is_built_anew(host: Host) -> None:
    host.build(FIRST, "env1")
    (host.root / "environments/env1/.ready").unlink()
    assert host.found() == {FIRST: ("ready", False)}
    (host.release(FIRST) / ".ready").unlink()
    assert host.build(FIRST, "env1")
    assert host.found() == {FIRST: ("ready", True)}


def test_what_is_wrong_is_said_in_one_line_and_nothing_counts_as_ready(host: Host) -> None:
    (host.root / "current").symlink_to(f"releases/{FIRST}")
    with pytest.raises(module.Broken, match="is the live release"):
        host.build(FIRST, "env1")
    with pytest.raises(module.Broken, match=r"^ERROR: .*[^\n]$"):
        host.build(SECOND, "env1", dependencies="", archive=_with_lock(host, "nothing==1.0 --hash=sha256:00\n"))
    assert host.found() == {SECOND: ("building", False)}
    outside = host.archive("wrong.tar", ("../outside", host.dependency))
    with pytest.raises(module.Broken, match="no plain file"):
        host.build(SECOND, "env1", archive=outside)


def test_what_a_release_needs_is_checked_once_for_those_that_need_the_same(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    run = module.Owner.run

    def note(owner: Any, directory: Path, *command: str | Path) -> None:
        ran.append(" ".join(map(str, command[1:4])))
        run(owner, directory, *command)

    monkeypatch.setattr(module.Owner, "run", note)
    for release, needs, checked in (
        (FIRST, "dep==1.0", True), (SECOND, "dep==1.0", False), (THIRD, "dep>=1.0", True)
    ):  # fmt: skip
        ran.clear()
        host.build(release, "env1", needs=needs)
        assert ("-m pip check" in ran) is checked
    for _ in range(2):  # that it was asked before does not make it right
        with pytest.raises(module.Broken, match="shop 1.0 .*dep"):
            host.build(THIRD, "env1", needs="dep>=2")
        assert host.found()[THIRD][0] == "building"


def test_a_link_that_the_applications_user_left_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / ".checked").symlink_to(victim)
    module.write(tmp_path / ".checked", "theirs")
    assert victim.read_text() == "mine"
    assert (tmp_path / ".checked").read_text() == "theirs\n"


def _with_lock(host: Host, lock: str) -> str:
    config = make_config(host.parts / "wrong", lock)
    return host.archive("wrong.tar", *((name, config / name) for name in ("requirements.lock", "messenger.yaml")))
