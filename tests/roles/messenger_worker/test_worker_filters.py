"""Filters of role messenger_worker: programs of pools, findings, and what operating playbooks decide by."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.modules import PLUGINS, load

POOLS = load(PLUGINS / "filter/worker_pools.py")
FINDINGS = load(PLUGINS / "filter/worker_findings.py")
OPERATIONS = load(PLUGINS / "filter/worker_operations.py")
MAIL = {"name": "mail", "transports": ["async"], "processes": "4"}
HEAVY = {"name": "heavy", "transports": ["reports"]}


def numbers(*scaled: dict[str, Any]) -> dict[str, int]:
    programs = POOLS.worker_programs([MAIL, HEAVY], {"processes": 1}, scaled)
    assert [program["inventory_processes"] for program in programs] == [4, 1]
    return {program["name"]: program["processes"] for program in programs}


def test_numbers_of_processes() -> None:
    assert numbers() == {"mail": 4, "heavy": 1}
    assert numbers({"pool": "mail", "processes": 6, "inventory": 4}) == {"mail": 6, "heavy": 1}
    assert numbers({"pool": "mail", "processes": 6, "inventory": 5}) == {"mail": 4, "heavy": 1}
    assert numbers({"pool": "gone", "processes": 6, "inventory": 1}) == {"mail": 4, "heavy": 1}
    asked = {"pool": "mail", "processes": "2"}
    assert numbers({"pool": "mail", "processes": 6, "inventory": 4}, asked) == {"mail": 2, "heavy": 1}


def test_groups_of_supervisor() -> None:
    programs = [{"name": "a", "processes": 2}, {"name": "b", "processes": 0}]
    assert POOLS.worker_groups(programs, "numprocs") == ["a"]
    assert POOLS.worker_groups(programs, "slots") == ["a-00", "a-01"]


@pytest.mark.parametrize(
    ("answer", "findings"),
    [
        ({"stdout": "", "stderr": "one\ntwo\n", "rc": 1}, [("fail", "messenger-check", "two")]),
        ({"stdout": "", "stderr": "", "rc": 3}, [("fail", "messenger-check", "no answer, exit code 3")]),
        ({"msg": "there is no user sms"}, [("fail", "messenger-check", "there is no user sms")]),
        ({"stdout": json.dumps({"findings": [{"level": "ok", "check": "a", "found": ""}]})}, []),
        (
            {
                "stdout": json.dumps(
                    {
                        "findings": [
                            {"level": "warn", "check": "a", "found": "x"},
                            {"level": "fail", "check": "accepted", "found": "y"},
                            {"level": "warn", "check": "supervisor-stop-time", "found": "z"},
                        ]
                    }
                )
            },
            [("fail", "supervisor-stop-time", "z"), ("warn", "a", "x"), ("warn", "accepted", "y")],
        ),
    ],
)
def test_findings_of_messenger_check(answer: dict[str, Any], findings: list[tuple[str, str, str]]) -> None:
    found = FINDINGS.check_findings(answer, ["accepted"])
    assert [(each["level"], each["check"], each["found"]) for each in found] == findings


def worker(**changed: Any) -> dict[str, Any]:
    return {"release": "new", "state": "idle", "uptime_seconds": 5.0, "pool": "mail", "waiting_for": None} | changed


@pytest.mark.parametrize(
    ("workers", "states", "up_to_date"),
    [
        ([worker()], ["RUNNING"], True),
        ([worker(state="paused"), worker(state="detached", release="old")], ["RUNNING"], True),
        ([worker()], ["STARTING"], False),
        ([worker()], ["RUNNING", "STOPPED"], False),
        ([worker()], ["RUNNING", "RUNNING"], False),
        ([worker(release="old")], ["RUNNING"], False),
        ([worker(state="broken")], ["RUNNING"], False),
        ([worker(uptime_seconds=4.9)], ["RUNNING"], False),
        ([], [], False),
        (None, ["RUNNING"], False),
    ],
)
def test_whether_all_workers_are_up_to_date(workers: Any, states: list[str], up_to_date: bool) -> None:
    seen = {"processes": [{"state": state} for state in states]}
    assert FINDINGS.workers_up_to_date(seen, workers, "new", "5") is up_to_date


PAUSED = worker(state="paused", waiting_for="paused by ann")
LEFT = worker(state="paused", waiting_for="paused by ann: scale.yml gives it 3 processes")


@pytest.mark.parametrize(
    ("workers", "layout", "changed", "pause", "resume"),
    [
        ([worker()], "numprocs", True, True, True),
        ([worker(), worker(state="detached")], "numprocs", False, False, False),
        ([worker(), worker(pool="heavy")], "numprocs", False, False, False),
        ([worker(), worker()], "numprocs", False, True, True),
        ([worker()], "slots", True, False, False),
        ([PAUSED], "numprocs", True, False, False),
        ([LEFT], "numprocs", False, False, True),
        ([LEFT], "numprocs", True, True, True),
    ],
)
def test_when_a_pool_is_paused_for_a_change(
    workers: Any, layout: str, changed: bool, pause: bool, resume: bool
) -> None:
    assert OPERATIONS.scale_pause(workers, "mail", "1", layout, changed) == {"pause": pause, "resume": resume}


def listed(*ids: str, here: bool) -> dict[str, Any]:
    return {"stdout": json.dumps({"on_this_host": here, "messages": [{"id": each} for each in ids]})}


def test_hosts_that_share_a_failure_store_are_spoken_for_by_one() -> None:
    hosts = {"w1": {"stderr": "x\ny"}, "w2": listed("1", "2", here=False), "w3": listed("1", "2", here=False)}
    found = OPERATIONS.failed_messages(hosts, ["2", "9"])
    assert [len(each["messages"]) for each in found.values()] == [0, 2, 0]
    assert [each["store"] for each in found.values()] == ["unknown", "shared", "shared"]
    assert [each["chosen"] for each in found.values()] == [[], ["2"], []]
    assert [each["problem"] for each in found.values()] == ["y", "", ""]
    found = OPERATIONS.failed_messages(hosts, [], {"w1": "", "w2": "20260101-a"})
    assert [each["problem"] for each in found.values()] == ["no release is live here", "", ""]


def test_an_id_on_two_hosts_is_ambiguous() -> None:
    hosts = {"w1": listed("1", "2", here=True), "w2": listed("2", "3", here=True)}
    found = OPERATIONS.failed_messages(hosts, ["1", "2"])
    assert [each["chosen"] for each in found.values()] == [["1", "2"], ["2"]]
    assert [each["ambiguous"] for each in found.values()] == [["2"], ["2"]]


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ({"stdout": '{"problems": ["a", "b"]}', "stderr": "x"}, "a; b"),
        ({"stdout": '{"problems": [], "working": ["mail_00", "mail_01"]}'}, "still at work: mail_00, mail_01"),
        ({"stdout": "out\n", "stderr": "err\n", "msg": "non-zero return code"}, "err"),
        ({"stdout": "out\n", "stderr": "", "msg": "non-zero return code"}, "out"),
        ({"stdout": "", "msg": "mail_00 is FATAL"}, "mail_00 is FATAL"),
        ({}, "no reason given"),
    ],
)
def test_why_a_task_failed(result: dict[str, Any], reason: str) -> None:
    assert OPERATIONS.worker_failure(result) == reason


def test_how_many_messages_wait() -> None:
    depth = {"ready": 1, "in_flight": 2, "delayed": 3}
    answer = {"transports": {"a": depth, "b": depth}, "failed": {"f": 4, "g": 1}}
    assert OPERATIONS.waiting_messages(answer) == {"waiting": 12, "failed": 5}
    assert OPERATIONS.waiting_messages({}) == {"waiting": 0, "failed": 0}
