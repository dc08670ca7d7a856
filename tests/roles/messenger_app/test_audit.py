"""The audit trail, and what a release knows of itself."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
from pathlib import Path
from typing import Any

from tests.roles.messenger_app.test_releases import make_release, releases
from tests.support.modules import MODULES, ROLES, answer_of, load

MODULE = MODULES / "audit_trail.py"
audit = load(MODULE)
revision = load(ROLES / "messenger_app/files/git_source.py").revision_of

NAMES = ("who", "what", "release", "from", "outcome", "reason")
EVENT: dict[str, Any] = dict(zip(NAMES, ("ann@desk", "deploy", "r2", "r1", "ok", ""), strict=True))


def ask(file: Path, check_mode: bool = False, **asked: Any) -> dict[str, Any]:
    """What the module answers when Ansible runs it."""
    return answer_of(MODULE, {"path": str(file), **asked}, check_mode)


def test_an_event_is_one_line_with_every_field(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    assert ask(file, **EVENT)["changed"]
    assert ask(file, what="prune", reason="two\nlines")["changed"]
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [list(line) for line in lines] == [["time", *EVENT]] * 2
    assert {**lines[0], "time": ""} == {**EVENT, "time": ""}
    assert lines[0]["time"].endswith("Z")
    assert lines[1]["reason"] == "two lines"
    assert file.stat().st_mode & 0o777 == 0o640


def test_check_mode_and_a_missing_directory_write_nothing(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    assert ask(file, check_mode=True, **EVENT)["changed"]
    assert not file.exists()
    assert not ask(tmp_path / "no/audit.jsonl", **EVENT)["changed"]
    assert not (tmp_path / "no").exists()


def test_no_password_of_a_url_gets_in(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    ask(file, **{**EVENT, "reason": "redis://user:hun/ter@2@host:6379/0 and rediss://s3cret@other refuse"})
    assert json.loads(file.read_text())["reason"] == "redis://***@host:6379/0 and rediss://***@other refuse"


def test_what_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").symlink_to(tmp_path / "elsewhere")
    answer = ask(tmp_path / "audit.jsonl", **EVENT)
    assert not answer["changed"]
    assert not answer.get("failed")
    assert "audit.jsonl cannot be used" in str(answer["warnings"])
    assert not (tmp_path / "elsewhere").exists()


def add_many(file: Path, who: str) -> None:
    for _ in range(1000):
        audit.add(file, {**EVENT, "who": who, "reason": "x" * 900})


def test_several_that_add_at_once_leave_whole_lines(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    context = multiprocessing.get_context("fork")
    runs = [context.Process(target=add_many, args=(file, f"run{n}")) for n in range(4)]
    for run in runs:
        run.start()
    for run in runs:
        run.join(60)
        assert run.exitcode == 0
    assert len([json.loads(line) for line in file.read_text().splitlines()]) == 4000


def test_reading_takes_the_last_and_skips_what_is_no_event(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    file.write_text('{"what": "deploy"}\n{"what": "cut o')
    ask(file, **{**EVENT, "what": "rollback"})
    assert [event["what"] for event in ask(file, last=5)["events"]] == ["deploy", "rollback"]
    assert [event["what"] for event in ask(file, last=1)["events"]] == ["rollback"]
    assert ask(file)["events"] == []
    assert ask(tmp_path / "none.jsonl", last=5)["events"] == []


def test_a_release_says_who_built_it_and_what_state_it_is_in(tmp_path: Path) -> None:
    make_release(tmp_path, "20260101T000000Z-00000001")
    bad = make_release(tmp_path, "20260102T000000Z-00000002", "ready", "good", "bad")
    make_release(tmp_path, "20260103T000000Z-00000003", "ready", "good")
    live = make_release(tmp_path, "20260104T000000Z-00000004", "ready", "good")
    built = {"by": "ann@desk", "at": "2026-01-04T00:00:00Z", "source": "/app", "revision": "abc", "fingerprint": "4"}
    (live / "release.json").write_text(json.dumps(built))
    (bad / "release.json").write_text("[]")
    found = releases.releases(tmp_path, live.name)
    assert [release["shown"] for release in found] == ["live", "ready", "bad", "building"]
    assert [release["built"] for release in found] == [built, *[dict.fromkeys(built, "")] * 3]


def git(directory: Path, *words: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "-C", directory, *who, *words], check=True, capture_output=True)


def test_revision_is_the_commit_and_says_when_files_differ(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app/handlers.py").write_text("one\n")
    git(tmp_path, "init", "--quiet")
    assert revision(tmp_path / "app") == "", "no commit yet"
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    commit = revision(tmp_path / "app")
    assert len(commit) == 12
    (tmp_path / "beside").write_text("not of the application\n")
    assert revision(tmp_path / "app") == commit
    (tmp_path / "app/new.py").write_text("two\n")
    assert revision(tmp_path / "app") == f"{commit}-dirty"
    assert revision(tmp_path / "nowhere") == ""
