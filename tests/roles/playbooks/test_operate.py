"""What logs.yml and failed.yml show, and how logs are read on a host."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.roles.render import render
from tests.support.modules import MODULES, ROLES, USER, answer_of, python_that_says

ROLE = ROLES / "messenger_worker"


def read_logs(root: Path, lines: int, pool: str = "", **more: Any) -> dict[str, Any]:
    """What the module says that logs.yml runs on hosts."""
    asked = {"root": str(root), "user": USER, "lines": lines, "pool": pool, **more}
    return answer_of(MODULES / "logs_info.py", asked)


def at(second: int, text: str, zone: str = "+0000") -> str:
    return f"2026-11-24T12:00:{second:02}{zone} INFO {text}\n"


def texts(found: dict[str, Any]) -> list[str]:
    return [text.split()[-1] for _, _, text in found["lines"]]


@pytest.fixture
def logs(host_root: Path) -> Path:
    """Where Supervisor's logs are."""
    return host_root / "shared/log"


@pytest.fixture
def detached(host_root: Path) -> Path:
    """Where workers write in the background; their user may write there."""
    directory = host_root / "shared/var/detached"
    directory.mkdir()
    directory.chmod(0o777)
    return directory


def test_lines_of_all_processes_come_in_the_order_of_time(host_root: Path, logs: Path) -> None:
    (logs / "mail_00.log").write_text(at(1, "a") + "Traceback\n" + at(5, "b"))
    (logs / "mail_01.log").write_text(at(3, "c") + "2026-11-24T13:00:04+0100 INFO d\n")
    (logs / "other_00.log").write_text(at(2, "e"))
    found = read_logs(host_root, 100)
    assert texts(found) == ["a", "Traceback", "e", "c", "d", "b"]
    assert found["pools"] == ["mail", "other"]
    assert found["changed"] is False


def test_one_pool_and_so_many_lines(host_root: Path, logs: Path) -> None:
    (logs / "mail_00.log").write_text("".join(at(second, str(second)) for second in range(10, 20)))
    (logs / "mail_more_00.log").write_text(at(30, "of another pool"))
    found = read_logs(host_root, 3, "mail")
    assert found["logs"] == ["mail_00"]
    assert texts(found) == ["17", "18", "19"]


def test_what_was_rotated_away_is_read_when_needed(host_root: Path, logs: Path) -> None:
    (logs / "mail_00.log").write_text(at(9, "new"))
    (logs / "mail_00.log.1").write_text(at(1, "old") + at(2, "older than new"))
    assert texts(read_logs(host_root, 2)) == ["new", "new"]
    assert len(read_logs(host_root, 9)["lines"]) == 3


def test_the_end_of_the_log_that_was_written_to_last(host_root: Path, logs: Path) -> None:
    for second, name in enumerate(("mail_00", "mail_01")):
        (logs / f"{name}.log").write_text(at(40 - second, name))
        os.utime(logs / f"{name}.log", (second, second))
    found = read_logs(host_root, 9, newest=True)
    assert (found["logs"], texts(found)) == (["mail_01"], ["mail_01"])


def test_those_of_workers_that_finish_in_the_background_too(host_root: Path, logs: Path, detached: Path) -> None:
    (logs / "mail_00.log").write_text(at(1, "a") + at(4, "c"))
    (detached / "mail_00.log").write_text(at(3, "b"))
    (detached / "mail_00.log").chmod(0o644)
    found = read_logs(host_root, 100, "mail")
    assert [(process, text.split()[-1]) for _, process, text in found["lines"]] == [
        ("mail_00", "a"),
        ("mail_00", "b"),
        ("mail_00", "c"),
    ]
    assert found["pools"] == ["mail"]


def test_what_workers_could_put_in_their_place_is_not_read(host_root: Path, detached: Path) -> None:
    """The application's user may write there: links, special files, and files without an end."""
    secret = host_root / "secret"
    secret.write_text(at(1, "secret"))
    (detached / "mail_00.log").symlink_to(secret)
    os.mkfifo(detached / "mail_01.log")
    (detached / "mail_02.log").write_text(at(1, "mine"))
    (detached / "mail_02.log.1").symlink_to(secret)
    with (detached / "mail_03.log").open("wb") as giant:
        giant.truncate(2**40)
        giant.seek(0, os.SEEK_END)
        giant.write(b"\n" + at(2, "at-the-end").encode())
    for file in detached.iterdir():
        if not file.is_symlink():
            file.chmod(0o666)
    found = texts(read_logs(host_root, 100))
    assert (found[-2:], "secret" in found) == (["mine", "at-the-end"], False)


def test_root_reads_nothing_there_itself(host_root: Path, detached: Path) -> None:
    (detached / "mail_00.log").write_text(at(1, "of-root"))
    (detached / "mail_00.log").chmod(0o600)
    assert texts(read_logs(host_root, 100)) == ([] if os.geteuid() == 0 else ["of-root"])


@pytest.mark.parametrize(
    "said",
    [
        "print('no JSON')",
        "print('[' * 100_000)",
        "import itertools; [print('x' * 10**6) for _ in itertools.count()]",
        """print('{"lines": [[NaN, "mail_00", "x"], [1, 2, 3], 4], "logs": 5}')""",
    ],
)
def test_whatever_that_user_answers_supervisor_s_logs_are_shown(host_root: Path, logs: Path, said: str) -> None:
    (logs / "mail_00.log").write_text(at(1, "a"))
    found = read_logs(host_root, 100, python=python_that_says(host_root, said))
    assert texts(found) == ["a"]


def test_control_characters_are_shown_not_sent(host_root: Path, logs: Path) -> None:
    (logs / "mail_00.log").write_text(at(1, "\x1b[2Jgone \u202e \x9b") + at(2, "x" * 5000))
    shown, long = (line[2] for line in read_logs(host_root, 9)["lines"])
    assert shown.endswith(r"\x1b[2Jgone \u202e \x9b")
    assert len(long) == 1000


def test_hosts_are_merged(tmp_path: Path) -> None:
    def log(*rows: tuple[float, str, str]) -> dict[str, Any]:
        return {"__messenger_worker_logs": {"lines": rows}}

    text = render(
        ROLE / "templates/logs.txt.j2",
        "messenger_worker",
        "messenger_app",
        ansible_play_hosts=["w1", "worker2"],
        hostvars={"w1": log((1, "mail_00", "a"), (3, "mail_00", "c")), "worker2": log((2, "mail_00", "b"))},
        messenger_worker_logs_lines=2,
    )
    assert text.splitlines() == ["worker2 mail_00  b", "w1 mail_00       c"]


def failed(store: str, *ids: str, problem: str = "") -> dict[str, Any]:
    """What one host answered that lists its failed messages."""
    if problem:
        return {"__messenger_worker_listed": {"stdout": "", "stderr": problem}}
    messages = [
        {"id": id_, "type": "Sms", "from": "async", "failed_at": "2026-11-24 12:00", "error": "ValueError: no"}
        for id_ in ids
    ]
    answer = {"on_this_host": store == "here", "messages": messages}
    return {"__messenger_worker_listed": {"stdout": json.dumps(answer)}}


def test_failed_messages_are_listed_by_store() -> None:
    text = render(
        ROLE / "templates/failed.txt.j2",
        "messenger_worker",
        "messenger_app",
        ansible_play_hosts=["w1", "w2", "w3"],
        hostvars={
            "w1": failed("here", "1", "2"),
            "w2": failed("here", "1"),
            "w3": failed("unknown", problem="no disk"),
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
        hostvars={"w1": failed("shared", "1"), "w2": failed("shared", "1")},
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
            "w1": {"__messenger_worker_acted": {"stdout": json.dumps(answer)}},
            "w2": {"__messenger_worker_acted": {"skipped": True}},
        },
    )
    assert text.splitlines() == [
        "w1: 2 sent to 'async': 1, 2",
        "w1: ! 3: not retried",
        "w1: ! not tried, still in failed: 4",
    ]
