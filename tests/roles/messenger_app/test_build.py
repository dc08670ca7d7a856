"""A release is put together with a real Python and pip: what it shares with others, and what it keeps to itself."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.roles.app_host import USERS, AppHost, app_directory, copy_pip, module, releases
from tests.roles.applications import make_config

FIRST, SECOND, THIRD = (f"2026010{number}T000000Z-0000000{number}" for number in (1, 2, 3))


@pytest.fixture(scope="module")
def with_pip() -> Iterator[Path]:
    """The directory of a host on which something was built."""
    with app_directory() as directory, pytest.MonkeyPatch.context() as patch:
        patch.setattr(module.User, "named", USERS.__getitem__)
        host = AppHost(directory)
        host.build(FIRST, "env1")
        yield host.root


@pytest.fixture
def host(with_pip: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppHost]:
    monkeypatch.setattr(module.User, "named", USERS.__getitem__)
    with app_directory() as directory:
        made = AppHost(directory)
        copy_pip(made, with_pip)
        yield made


def test_releases_share_an_environment_and_nothing_else(host: AppHost) -> None:
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


def test_a_process_stays_on_its_release_when_current_moves(host: AppHost) -> None:
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


def test_what_was_cut_off_is_built_anew(host: AppHost) -> None:
    host.build(FIRST, "env1")
    (host.root / "environments/env1/.ready").unlink()
    assert host.found() == {FIRST: ("ready", False)}
    (host.release(FIRST) / ".ready").unlink()
    assert host.build(FIRST, "env1")
    assert host.found() == {FIRST: ("ready", True)}


def test_what_is_wrong_is_said_in_one_line_and_nothing_counts_as_ready(host: AppHost) -> None:
    (host.root / "current").symlink_to(f"releases/{FIRST}")
    with pytest.raises(module.Broken, match="is the live release"):
        host.build(FIRST, "env1")
    with pytest.raises(module.Broken, match=r"^ERROR: .*[^\n]$"):
        host.build(SECOND, "env1", dependencies="", archive=_with_lock(host, "nothing==1.0 --hash=sha256:00\n"))
    assert host.found() == {}
    outside = host.archive("wrong.tar", ("../outside", host.dependency))
    with pytest.raises(module.Broken, match="no plain file"):
        host.build(SECOND, "env1", archive=outside)


def test_what_a_release_needs_is_checked_once_for_those_that_need_the_same(
    host: AppHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[tuple[str, str]] = []
    run = module.run_as

    def note(user: Any, command: list[str | Path], *other: Any, **options: Any) -> Any:
        ran.append((user.name, str(command[-1])))
        return run(user, command, *other, **options)

    monkeypatch.setattr(module, "run_as", note)
    for release, needs, checked in ((FIRST, "dep==1.0", True), (SECOND, "dep==1.0", False), (THIRD, "dep>=1.0", True)):
        ran.clear()
        host.build(release, "env1", needs=needs)
        assert (("shop", "check") in ran) is checked
    for _ in range(2):  # that it was asked before does not make it right
        with pytest.raises(module.Broken, match="shop 1.0 .*dep"):
            host.build(THIRD, "env1", needs="dep>=2")
        assert host.found()[THIRD][0] == "building"


def _with_lock(host: AppHost, lock: str) -> str:
    config = make_config(host.parts / "wrong", lock)
    return host.archive("wrong.tar", *((name, config / name) for name in ("requirements.lock", "messenger.yaml")))
