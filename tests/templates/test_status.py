"""What status.yml says of a host: which workers there should not be, and which only finish their message."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from ansible.template import trust_as_template

from tests.templates.modules import ROLES
from tests.templates.render import evaluate, render

ROLE = ROLES / "messenger_worker"
TASKS = yaml.safe_load((ROLE / "tasks/status.yml").read_text())
RUNNING = "mail:mail_{number:02d}   RUNNING   pid {pid}, uptime 0:01:00"


def worker(process: str, pid: int, **more: Any) -> dict[str, Any]:
    values = {"release": "new", "state": "idle", "waiting_for": None, "message": None, "front": 0, "handled": 1}
    return {"process": process, "pid": pid, "failed": 0, "memory_bytes": 2**20, "uptime_seconds": 60} | values | more


def seen(workers: list[dict[str, Any]], orphans: list[int], *pids: int) -> dict[str, Any]:
    """The facts of a host whose Supervisor has the processes PIDS, as the tasks make them."""
    answers = [{"rc": 0, "stdout": json.dumps({"workers": workers})}, {"rc": 0, "stdout": '{"transports": {}}'}]
    facts: dict[str, Any] = {
        "__messenger_worker_register_current": {"stat": {"lnk_target": "releases/new"}},
        "__messenger_worker_register_programs": {"stdout_lines": ["mail"]},
        "__messenger_worker_register_status": {
            "stdout_lines": [RUNNING.format(number=number, pid=pid) for number, pid in enumerate(pids)]
        },
        "__messenger_worker_register_orphans": {"stdout": json.dumps(orphans)},
        "__messenger_worker_register_asked": {"results": answers},
    }
    for name in ("Keep the answers", "Find what is not as it should be"):
        (task,) = [task for task in TASKS if task["name"] == name]
        given = facts | {key: trust_as_template(value) for key, value in task["vars"].items()}
        wanted = task["ansible.builtin.set_fact"]
        facts |= {key: evaluate(value, "messenger_worker", **given) for key, value in wanted.items()}
    return facts


def screen(facts: dict[str, Any]) -> list[str]:
    template = ROLE / "templates/status.txt.j2"
    return render(template, "messenger_worker", ansible_play_hosts=["w1"], hostvars={"w1": facts}).splitlines()


def test_a_worker_is_found_by_the_pid_that_supervisor_knows() -> None:
    facts = seen([worker("mail_00", 11, front=10), worker("mail_01", 12)], [], 10, 12)
    assert facts["__messenger_worker_problems"] == []
    rows = screen(facts)
    assert rows[0] == "w1: ok, release new"
    assert [row.split(",")[0].split()[-2:] for row in rows[1:3]] == [["pid", "11"], ["pid", "12"]]


def test_who_finishes_in_the_background_is_shown_and_nothing_to_mend() -> None:
    message = {"type": "Sms", "id": "7-0", "seconds": 90.2}
    left = worker("mail_00", 9, state="detached", release="old", message=message)
    facts = seen([worker("mail_00", 11, front=10), left], [9], 10)
    assert facts["__messenger_worker_problems"] == []
    assert "  in the background: pid 9, once mail_00, release old, finishes Sms 7-0 after 90 s" in screen(facts)


@pytest.mark.parametrize("front", [0, 8])
def test_a_worker_that_a_killed_supervisord_left_is_one_too_many(front: int) -> None:
    orphan = worker("mail_00", 9, release="old", front=front)
    facts = seen([worker("mail_00", 11, front=10), orphan], [front or 9], 10)
    problems = facts["__messenger_worker_problems"]
    assert problems[0] == "mail_00 runs another release than the live one"
    assert problems[1].startswith(f"pid {front or 9} is a worker that Supervisor does not have")
    assert len(problems) == 2


def test_workers_that_do_not_report_are_missed_whoever_finishes_in_the_background() -> None:
    left = worker("mail_00", 9, state="detached")
    facts = seen([worker("mail_00", 11, front=10), left], [9], 10, 12)
    assert facts["__messenger_worker_problems"] == ["1 workers report, 2 processes run"]
