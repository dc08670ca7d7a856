"""The lock of the fleet: one run has it, and everyone else is told who."""

from __future__ import annotations

import json
import multiprocessing
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.modules import MODULES, answer_of, load

MODULE = MODULES / "lock.py"
lock = load(MODULE)


def ask(file: Path, check_mode: bool = False, **asked: Any) -> dict[str, Any]:
    """What the module answers when Ansible runs it."""
    arguments = {"path": str(file), "owner": "ann@desk", "what": "deploy", **asked}
    return answer_of(MODULE, arguments, check_mode)


def try_to_take(file: Path, name: str, start: Any, won: Any) -> None:
    start.wait()
    try:
        lock.take(file, name, "deploy", "", 60)
    except lock.Refused:
        return
    won.put(name)


def race(file: Path) -> list[str]:
    """Eight processes take FILE at once; who got it."""
    context = multiprocessing.get_context("fork")
    start, won = context.Barrier(8), context.Queue()
    runs = [context.Process(target=try_to_take, args=(file, f"run{n}", start, won)) for n in range(8)]
    for run in runs:
        run.start()
    for run in runs:
        run.join(30)
        assert run.exitcode == 0
    winners = [won.get(timeout=5)]
    while not won.empty():
        winners.append(won.get())
    return winners


@pytest.mark.parametrize("attempt", range(5))
def test_of_several_at_once_one_wins(tmp_path: Path, attempt: int) -> None:
    file = tmp_path / "kit/app.lock"
    winners = race(file)
    assert len(winners) == 1
    assert json.loads(file.read_text())["owner"] == winners[0]


def test_of_several_that_find_one_whose_time_is_over_one_wins(tmp_path: Path) -> None:
    file = tmp_path / "app.lock"
    lock.take(file, "gone", "deploy", "", -1)
    assert len(race(file)) == 1


def test_refusal_says_who_since_when_why_and_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "app.lock"
    assert ask(file, state="taken", reason="hot  fix")["token"]
    day = time.strftime("%Y-%m-%d", time.gmtime(json.loads(file.read_text())["since"]))
    refused = ask(file, state="taken", owner="bob@laptop")
    assert refused["failed"]
    assert f"ann@desk holds it since {day}" in refused["msg"]
    assert "UTC for deploy, because: hot fix, until" in refused["msg"]
    assert "ansible-playbook unlock.yml frees the lock" in refused["msg"]
    again = ask(file, state="taken")
    assert again["failed"]
    assert "That is you, on this controller" in again["msg"]


def test_time_over_means_free_and_a_batch_makes_it_start_anew(tmp_path: Path) -> None:
    file = tmp_path / "app.lock"
    token = lock.take(file, "ann@desk", "deploy", "", -1)
    assert lock.holder(file) is None
    assert ask(file, state="taken", token=token, ttl=60)["token"] == token
    assert lock.holder(file)["until"] > time.time() + 50
    lock.take(tmp_path / "other.lock", "ann@desk", "deploy", "", -1)
    assert ask(tmp_path / "other.lock", state="taken", owner="bob@laptop")["token"]


def test_a_run_that_lost_it_is_told_and_frees_nothing(tmp_path: Path) -> None:
    file = tmp_path / "app.lock"
    token = ask(file, state="taken")["token"]
    freed = ask(file, state="free")
    assert (freed["changed"], "ann@desk holds it" in freed["held"], file.exists()) == (True, True, False)
    assert "Nobody holds it now" in ask(file, state="taken", token=token)["msg"]
    other = ask(file, state="taken", owner="bob@laptop")["token"]
    assert "Now bob@laptop holds it" in ask(file, state="taken", token=token)["msg"]
    for stale in (token, ""):
        assert not ask(file, state="given_back", token=stale)["changed"]
        assert file.exists()
    assert not ask(file, state="given_back", token=other)["changed"], "a lock that comes and goes is no change"
    assert not file.exists()
    assert not ask(file, state="free")["changed"]


def test_check_mode_takes_and_frees_nothing_but_tells(tmp_path: Path) -> None:
    file = tmp_path / "kit/app.lock"
    assert ask(file, check_mode=True, state="taken")["held"] == ""
    assert not file.parent.exists()
    ask(file, state="taken")
    assert ask(file, check_mode=True, state="taken", owner="bob@laptop")["held"].startswith("ann@desk holds it")
    assert ask(file, check_mode=True, state="free")["changed"]
    assert file.exists()


@pytest.mark.parametrize("content", ["", "[]", '{"owner": "ann@desk"}'])
def test_a_file_that_is_no_lock_stops_everyone_until_it_is_freed(tmp_path: Path, content: str) -> None:
    file = tmp_path / "app.lock"
    file.write_text(content)
    assert "unlock.yml deletes it" in ask(file, state="taken")["msg"]
    assert ask(file, state="free")["changed"]
    assert ask(file, state="taken")["token"]
