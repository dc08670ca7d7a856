"""What status.yml says of a host: which workers there should not be, and which only finish their message."""

from __future__ import annotations

from typing import Any

import pytest

from tests.roles.render import render
from tests.support.modules import MODULES, ROLES, load

ROLE = ROLES / "messenger_worker"
module = load(MODULES / "status_info.py")


def worker(process: str, pid: int, **more: Any) -> dict[str, Any]:
    values = {"release": "new", "state": "idle", "waiting_for": None, "message": None, "front": 0, "handled": 1}
    return {"process": process, "pid": pid, "failed": 0, "memory_bytes": 2**20, "uptime_seconds": 60} | values | more


def seen(workers: list[dict[str, Any]], orphans: list[int], *pids: int) -> dict[str, Any]:
    """What the module answers of a host whose Supervisor has the processes PIDS."""
    processes = [
        {"name": f"mail:mail_{number:02d}", "state": "RUNNING", "pid": pid, "description": f"pid {pid}, uptime 0:01:00"}
        for number, pid in enumerate(pids)
    ]
    problems = module.worker_problems("new", workers, orphans, len(pids))
    return {"release": "new", "processes": processes, "workers": workers, "stats": {}, "problems": problems}


def screen(facts: dict[str, Any]) -> list[str]:
    template = ROLE / "templates/status.txt.j2"
    return render(
        template, "messenger_worker", ansible_play_hosts=["w1"], hostvars={"w1": {"messenger_worker_status": facts}}
    ).splitlines()


def test_a_worker_is_found_by_the_pid_that_supervisor_knows() -> None:
    facts = seen([worker("mail_00", 11, front=10), worker("mail_01", 12)], [], 10, 12)
    assert facts["problems"] == []
    rows = screen(facts)
    assert rows[0] == "w1: ok, release new"
    assert [row.split(",")[0].split()[-2:] for row in rows[1:3]] == [["pid", "11"], ["pid", "12"]]


def test_who_finishes_in_the_background_is_shown_and_nothing_to_mend() -> None:
    message = {"type": "Sms", "id": "7-0", "seconds": 90.2}
    left = worker("mail_00", 9, state="detached", release="old", message=message)
    facts = seen([worker("mail_00", 11, front=10), left], [9], 10)
    assert facts["problems"] == []
    assert "  in the background: pid 9, once mail_00, release old, finishes Sms 7-0 after 90 s" in screen(facts)


@pytest.mark.parametrize("front", [0, 8])
def test_a_worker_that_a_killed_supervisord_left_is_one_too_many(front: int) -> None:
    orphan = worker("mail_00", 9, release="old", front=front)
    facts = seen([worker("mail_00", 11, front=10), orphan], [front or 9], 10)
    problems = facts["problems"]
    assert problems[0] == "mail_00 runs another release than the live one"
    assert problems[1].startswith(f"pid {front or 9} is a worker that Supervisor does not have")
    assert len(problems) == 2


def test_workers_that_do_not_report_are_missed_whoever_finishes_in_the_background() -> None:
    left = worker("mail_00", 9, state="detached")
    facts = seen([worker("mail_00", 11, front=10), left], [9], 10, 12)
    assert facts["problems"] == ["1 workers report, 2 processes run"]
