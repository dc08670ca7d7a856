"""What is kept of a release that came up: whole, once, and readable by nobody more than before."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.modules import MODULES, answer_of

MODULE = MODULES / "record_release.py"


@pytest.fixture
def asked(tmp_path: Path) -> dict[str, Any]:
    """Of a host where a release was switched to that was bad once."""
    release = tmp_path / "20261124T080000Z-0a1b2c3d"
    release.mkdir()
    (release / ".bad").write_text("it did not come up")
    (tmp_path / "messenger.env").write_text("PASSWORD='new'\n")
    (tmp_path / "messenger.env.good").write_text("PASSWORD='old'\n")
    (tmp_path / "worker.conf").write_text("[program:x]\n")
    (tmp_path / ".restart").touch()
    group = str(os.getgid())
    return {
        "release": str(release),
        "files": [
            {"path": str(tmp_path / "worker.conf"), "mode": "0644", "group": group},
            {"path": str(tmp_path / "messenger.env"), "mode": "0640", "group": group},
        ],
        "restart_note": str(tmp_path / ".restart"),
        "audit": {"path": str(tmp_path / "audit.jsonl"), "who": "ann@ops", "what": "deploy", "release": release.name},
    }


def test_all_of_it_is_kept(tmp_path: Path, asked: dict[str, Any]) -> None:
    answer = answer_of(MODULE, asked)
    assert answer["changed"] is True
    assert (tmp_path / "messenger.env.good").read_text() == "PASSWORD='new'\n"
    assert (tmp_path / "messenger.env.good").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "worker.conf.good").read_text() == "[program:x]\n"
    assert not (tmp_path / ".restart").exists()
    assert sorted(file.name for file in Path(asked["release"]).iterdir()) == [".good"]
    (line,) = (tmp_path / "audit.jsonl").read_text().splitlines()
    assert json.loads(line)["what"] == "deploy"
    assert "PASSWORD" not in json.dumps(answer)


def test_a_second_time_nothing_is_left_to_do(tmp_path: Path, asked: dict[str, Any]) -> None:
    answer_of(MODULE, asked)
    before = (tmp_path / "messenger.env.good").stat().st_ino
    answer = answer_of(MODULE, asked | {"audit": {}})
    assert (answer["changed"], answer["done"]) == (False, [])
    assert (tmp_path / "messenger.env.good").stat().st_ino == before
    assert len((tmp_path / "audit.jsonl").read_text().splitlines()) == 1


def test_what_cannot_be_kept_leaves_the_note_that_workers_must_restart(tmp_path: Path, asked: dict[str, Any]) -> None:
    (tmp_path / "messenger.env").unlink()
    answer = answer_of(MODULE, asked)
    assert answer["failed"] is True
    assert "messenger.env" in answer["msg"]
    assert (tmp_path / ".restart").exists()
    assert not (Path(asked["release"]) / ".good").exists()
    assert not (tmp_path / "audit.jsonl").exists()


def test_an_audit_trail_that_cannot_be_written_fails_nothing(tmp_path: Path, asked: dict[str, Any]) -> None:
    (tmp_path / "audit.jsonl").mkdir()
    answer = answer_of(MODULE, asked)
    assert answer["changed"] is True
    assert "audit.jsonl cannot be used" in json.dumps(answer["warnings"])


def test_check_mode_changes_nothing(tmp_path: Path, asked: dict[str, Any]) -> None:
    answer_of(MODULE, asked, check_mode=True)
    assert (tmp_path / ".restart").exists()
    assert (tmp_path / "messenger.env.good").read_text() == "PASSWORD='old'\n"
