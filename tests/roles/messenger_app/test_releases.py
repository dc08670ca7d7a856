"""Which releases go."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support.modules import MODULES, ROLES, load

APP = ROLES / "messenger_app"


releases = load(MODULES / "releases.py")
STATES = st.sampled_from(["building", "ready", "good", "bad"])


@given(kinds=st.lists(st.tuples(STATES, st.booleans()), max_size=12), live=st.integers(0, 11), keep=st.integers(1, 6))
def test_prune_spares_what_is_needed(kinds: list[tuple[str, bool]], live: int, keep: int) -> None:
    found: list[dict[str, Any]] = [
        {"id": f"{number:02}", "state": state, "pids": [1] if runs else []}
        for number, (state, runs) in reversed(list(enumerate(kinds)))
    ]
    current = f"{live:02}" if live < len(kinds) else ""
    going = set(releases.removable(found, current, keep))
    staying = [release for release in found if release["id"] not in going]
    assert current not in going
    assert not [release for release in found if release["id"] in going and release["pids"]]
    assert not [release for release in found if release["id"] > current and release["id"] in going]
    usable = [release["id"] for release in found if release["state"] in ("good", "ready")]
    older = [release_id for release_id in usable if release_id <= current]
    assert set(older[:keep]) <= {release["id"] for release in staying}
    # And it does prune: what is old, idle and beyond `keep` goes.
    assert not [
        release
        for release in staying
        if release["id"] < current and not release["pids"] and release["id"] not in older[:keep]
    ]


def make_release(root: Path, release_id: str, *marks: str) -> Path:
    release = root / "releases" / release_id
    python = Path(sys.executable).resolve()
    (release / "venv/bin").mkdir(parents=True)
    (release / "venv/lib" / python.name).mkdir(parents=True)
    (release / "venv/bin/python").symlink_to(python)
    (release / "environment").symlink_to("../../environments/one")
    (root / "environments/one").mkdir(parents=True, exist_ok=True)
    (root / "environments/one/.ready").touch()
    for mark in marks:
        (release / f".{mark}").write_text("0123abcd\n")
    return release


def test_states_processes_and_a_python_that_is_gone(tmp_path: Path) -> None:
    make_release(tmp_path, "20260101T000000Z-00000001")
    make_release(tmp_path, "20260102T000000Z-00000002", "ready", "good", "bad")
    running = make_release(tmp_path, "20260103T000000Z-00000003", "ready", "good")
    upgraded = make_release(tmp_path, "20260104T000000Z-00000004", "ready")
    (upgraded / "venv/lib" / Path(sys.executable).resolve().name).rename(upgraded / "venv/lib/python3.0")
    (tmp_path / "releases/not-a-release").mkdir()
    process = subprocess.Popen(["sleep", "60"], cwd=running)
    try:
        found = releases.releases(tmp_path)
    finally:
        process.kill()
        process.wait()
    assert [(release["id"][-1], release["state"], release["fits"]) for release in found] == [
        ("4", "ready", False),
        ("3", "good", True),
        ("2", "bad", True),
        ("1", "building", True),
    ]
    assert [release["pids"] for release in found] == [[], [process.pid], [], []]


def test_a_worker_whose_handler_went_elsewhere_still_runs_in_its_release(tmp_path: Path) -> None:
    release = make_release(tmp_path, "20260101T000000Z-00000001", "ready", "good")
    code = "import os, sys; os.chdir('/'); print('there', flush=True); sys.stdin.read()"
    process = subprocess.Popen(
        [release / "venv/bin/python", "-c", code], cwd=release, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"there\n"
    try:
        (found,) = releases.releases(tmp_path)
    finally:
        process.communicate()
    assert found["pids"] == [process.pid]


def test_the_children_of_a_worker_are_no_processes_of_their_own(tmp_path: Path) -> None:
    release = make_release(tmp_path, "20260101T000000Z-00000001", "ready", "good")
    code = "import subprocess, sys; subprocess.Popen(['sleep', '60']); print('there', flush=True); sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=release,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"there\n"
    try:
        (found,) = releases.releases(tmp_path)
        assert (found["pids"], found["processes"]) == ([process.pid], 1)
        process.kill()
        process.wait()
        (left,) = releases.releases(tmp_path)
        assert left["processes"] == 1, "a child that is left behind holds the release"
        assert left["pids"] != [process.pid]
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
