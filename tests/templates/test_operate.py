"""What logs.yml and failed.yml show, and how logs are read on a host."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.templates.render import ROLES, render

ROLE = ROLES / "messenger_worker"


def read_logs(directory: Path, *words: str) -> dict[str, Any]:
    """What the script says that logs.yml runs on hosts."""
    command = [sys.executable, str(ROLE / "files/read_logs.py"), str(directory), *words]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def at(second: int, text: str, zone: str = "+0000") -> str:
    return f"2026-11-24T12:00:{second:02}{zone} INFO {text}\n"


def test_lines_of_all_processes_come_in_the_order_of_time(tmp_path: Path) -> None:
    (tmp_path / "mail_00.log").write_text(at(1, "a") + "Traceback\n" + at(5, "b"))
    (tmp_path / "mail_01.log").write_text(at(3, "c") + "2026-11-24T13:00:04+0100 INFO d\n")
    (tmp_path / "other_00.log").write_text(at(2, "e"))
    found = read_logs(tmp_path, "100")
    assert [text.split()[-1] for _, _, text in found["lines"]] == ["a", "Traceback", "e", "c", "d", "b"]
    assert found["pools"] == ["mail", "other"]


def test_one_pool_and_so_many_lines(tmp_path: Path) -> None:
    (tmp_path / "mail_00.log").write_text("".join(at(second, str(second)) for second in range(10, 20)))
    (tmp_path / "mail_more_00.log").write_text(at(30, "of another pool"))
    found = read_logs(tmp_path, "3", "mail")
    assert found["logs"] == ["mail_00"]
    assert [text.split()[-1] for _, _, text in found["lines"]] == ["17", "18", "19"]


def test_what_was_rotated_away_is_read_when_needed(tmp_path: Path) -> None:
    (tmp_path / "mail_00.log").write_text(at(9, "new"))
    (tmp_path / "mail_00.log.1").write_text(at(1, "old") + at(2, "older than new"))
    assert [text.split()[-1] for _, _, text in read_logs(tmp_path, "2")["lines"]] == ["new", "new"]
    assert len(read_logs(tmp_path, "9")["lines"]) == 3


def test_those_of_workers_that_finish_in_the_background_too(tmp_path: Path) -> None:
    (tmp_path / "detached").mkdir()
    (tmp_path / "mail_00.log").write_text(at(1, "a") + at(4, "c"))
    (tmp_path / "detached/mail_00.log").write_text(at(3, "b"))
    found = read_logs(tmp_path, "100", "mail")
    assert [(process, text.split()[-1]) for _, process, text in found["lines"]] == [
        ("mail_00", "a"),
        ("mail_00", "b"),
        ("mail_00", "c"),
    ]
    assert found["pools"] == ["mail"]


def test_what_workers_could_put_in_their_place_is_not_read(tmp_path: Path) -> None:
    """Root reads them, and the application's user may write there."""
    secret = tmp_path / "secret"
    secret.write_text(at(1, "secret"))
    (tmp_path / "detached").mkdir()
    (tmp_path / "detached/mail_00.log").symlink_to(secret)
    os.mkfifo(tmp_path / "detached/mail_01.log")
    (tmp_path / "detached/mail_02.log").write_text(at(1, "mine"))
    (tmp_path / "detached/mail_02.log.1").symlink_to(secret)
    assert [text.split()[-1] for _, _, text in read_logs(tmp_path, "100")["lines"]] == ["mine"]


def test_control_characters_are_shown_not_sent(tmp_path: Path) -> None:
    (tmp_path / "mail_00.log").write_text(at(1, "\x1b[2Jgone"))
    assert read_logs(tmp_path, "9")["lines"][0][2].endswith("\\x1b[2Jgone")


def test_hosts_are_merged(tmp_path: Path) -> None:
    def log(*rows: tuple[float, str, str]) -> dict[str, Any]:
        return {"__messenger_worker_register_logs": {"stdout": json.dumps({"lines": rows})}}

    text = render(
        ROLE / "templates/logs.txt.j2",
        "messenger_worker",
        "messenger_app",
        ansible_play_hosts=["w1", "worker2"],
        hostvars={"w1": log((1, "mail_00", "a"), (3, "mail_00", "c")), "worker2": log((2, "mail_00", "b"))},
        messenger_worker_logs_lines=2,
    )
    assert text.splitlines() == ["worker2 mail_00  b", "w1 mail_00       c"]


def failed(kept: str, *ids: str, unlisted: str = "") -> dict[str, Any]:
    messages = [
        {"id": id_, "type": "Sms", "from": "async", "failed_at": "2026-11-24 12:00", "error": "ValueError: no"}
        for id_ in ids
    ]
    return {
        "__messenger_worker_held": messages,
        "__messenger_worker_kept": kept,
        "__messenger_worker_unlisted": unlisted,
    }


def test_failed_messages_are_listed_by_store() -> None:
    text = render(
        ROLE / "templates/failed.txt.j2",
        "messenger_worker",
        "messenger_app",
        ansible_play_hosts=["w1", "w2", "w3"],
        hostvars={
            "w1": failed("here", "1", "2"),
            "w2": failed("here", "1"),
            "w3": failed("unknown", unlisted="no disk"),
        },
    )
    assert text.splitlines() == [
        "3 failed messages",
        "in the store of w1:",
        "  1  Sms from async, failed 2026-11-24 12:00",
        "      ValueError: no",
        "  2  Sms from async, failed 2026-11-24 12:00",
        "      ValueError: no",
        "in the store of w2:",
        "  1  Sms from async, failed 2026-11-24 12:00",
        "      ValueError: no",
        "! w3: no disk",
    ]


def test_a_shared_store_is_listed_once() -> None:
    text = render(
        ROLE / "templates/failed.txt.j2",
        "messenger_worker",
        "messenger_app",
        ansible_play_hosts=["w1", "w2"],
        hostvars={"w1": failed("shared", "1"), "w2": failed("shared")},
    )
    assert text.splitlines()[:3] == [
        "1 failed message",
        "in the store that the hosts share:",
        "  1  Sms from async, failed 2026-11-24 12:00",
    ]


def test_what_was_done_is_said_by_host() -> None:
    answer = {
        "transport": "failed",
        "done": {"1": "sent to 'async'", "2": "sent to 'async'"},
        "problems": {"3": "not retried"},
        "gone": [],
        "left": ["4"],
    }
    text = render(
        ROLE / "templates/failed_done.txt.j2",
        "messenger_worker",
        "messenger_app",
        ansible_play_hosts=["w1", "w2"],
        hostvars={
            "w1": {"__messenger_worker_register_acted": {"stdout": json.dumps(answer)}},
            "w2": {"__messenger_worker_register_acted": {"skipped": True}},
        },
    )
    assert text.splitlines() == [
        "w1: 2 sent to 'async': 1, 2",
        "w1: ! 3: not retried",
        "w1: ! not tried, still in failed: 4",
    ]
