"""messenger workers: the registry, and the gate of a deploy."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.integration.worker.project import Project

KEYS = {
    "id",
    "host",
    "pid",
    "pool",
    "process",
    "release",
    "transports",
    "state",
    "waiting_for",
    "message",
    "handled",
    "failed",
    "memory_bytes",
    "started_at",
    "uptime_seconds",
    "failed_last_minute",
    "seen_seconds",
    "front",
    "start_ticks",
}


def gate(project: Project, *arguments: str, code: int = 0) -> Any:
    return project.json("workers", "--host", "here", "--until-release", "r2", *arguments, code=code)


def test_what_a_worker_tells_of_itself(project: Project) -> None:
    project.send("a")
    project.send("b", "give-up")
    message_id = project.send("c", "wait")
    worker = project.worker(
        "high",
        "async",
        MESSENGER_RELEASE="r1",
        SUPERVISOR_PROCESS_NAME="messenger-consume_00",
        SUPERVISOR_GROUP_NAME="messenger-consume",
    )
    project.wait_for_event("start c")

    project.wait_for_workers(1, "busy")
    document = project.json("workers")
    assert set(document) == {"workers", "unreadable"}
    (info,) = document["workers"]
    assert set(info) == KEYS
    assert (info["host"], info["pid"], info["release"], info["state"]) == ("here", worker.pid, "r1", "busy")
    assert (info["pool"], info["process"]) == ("messenger-consume", "messenger-consume_00")
    assert (info["handled"], info["failed"], info["transports"]) == (1, 1, ["high", "async"])
    assert info["waiting_for"] is None
    assert info["message"]["id"] == message_id
    assert info["message"]["type"] == "App\\Message\\Task"
    assert info["message"]["seconds"] >= 0
    assert info["memory_bytes"] > 1_000_000
    assert 0 <= info["seen_seconds"] < 15
    assert info["uptime_seconds"] >= 0
    assert datetime.fromisoformat(info["started_at"]).tzinfo is not None
    assert info["id"].startswith(f"here-{worker.pid}-")
    text = project.run("workers").stdout.splitlines()
    assert " ".join(text[0].split()) == "HOST PROCESS PID RELEASE TRANSPORTS STATE MESSAGE HANDLED FAILED MEMORY UP"
    assert text[1].split()[:6] == ["here", "messenger-consume_00", str(worker.pid), "r1", "high,async", "busy"]


def test_the_pool_may_be_named(project: Project) -> None:
    project.worker("high", MESSENGER_POOL="urgent", SUPERVISOR_GROUP_NAME="group")
    assert [worker.pool for worker in project.wait_for_workers(1)] == ["urgent"]


def test_a_worker_that_waits_says_for_what(project: Project) -> None:
    text = (project.directory / "messenger.yaml").read_text()
    control = f"  control: 'redis://127.0.0.1:{project.server.port}'\n  handlers:"
    project.write("messenger.yaml", text.replace("  handlers:", control))
    project.start("consume", "async", MESSENGER_TRANSPORT_DSN="redis://127.0.0.1:1", MESSENGER_RELEASE="r2")
    (worker,) = project.wait_for_workers(1, "waiting")
    assert worker.waiting_for is not None
    assert worker.waiting_for.startswith("redis at 127.0.0.1:1 (db 0): ")
    found = gate(project, "--count", "1", "--timeout", "0", code=1)
    assert found["problems"][0].startswith(f"{found['workers'][0]['id']} is waiting for redis at 127.0.0.1:1")


def test_a_dead_worker_is_forgotten(project: Project) -> None:
    worker = project.worker("high")
    project.wait_for_workers(1)
    worker.kill()
    with project.server.client() as client:
        (key,) = client.keys("test:worker:*")
        assert 0 < client.pttl(key) <= 15_000
        client.delete(key)  # as its time to live does
    assert project.json("workers") == {"workers": [], "unreadable": []}


def test_the_gate_opens_when_all_are_on_the_release_and_stay(project: Project) -> None:
    for _ in range(2):
        project.start("consume", "high", MESSENGER_RELEASE="r2")
    found = gate(project, "--count", "2", "--timeout", "25", "--stable", "1")
    assert (found["reached"], found["problems"]) == (True, [])
    assert {worker["release"] for worker in found["workers"]} == {"r2"}
    assert set(found) == {"workers", "reached", "problems"}


def test_the_gate_names_who_is_on_another_release_and_what_it_does(project: Project) -> None:
    project.send("a", "wait")
    worker = project.worker("async", MESSENGER_RELEASE="r1")
    project.wait_for_event("start a")
    project.wait_for_workers(1, "busy")
    found = gate(project, "--count", "1", "--timeout", "0.1", code=1)
    assert found["reached"] is False
    (problem,) = found["problems"]
    assert f"here-{worker.pid}-" in problem
    assert "is on release r1 (busy, busy with App\\Message\\Task" in problem
    text = project.run("workers", "--host", "here", "--until-release", "r2", "--count", "1", "--timeout", "0", code=1)
    assert "is on release r1" in text.stderr


def test_the_gate_wants_exactly_the_count(project: Project) -> None:
    project.worker("high", MESSENGER_RELEASE="r2")
    project.wait_for_workers(1, "idle")
    for wanted in (0, 2):
        found = gate(project, "--count", str(wanted), "--timeout", "0.1", code=1)
        assert found["problems"] == [f"{wanted} workers wanted on here, 1 there"]
    assert gate(project, "--timeout", "25")["reached"], "without a count one is enough"


def test_nobody_there_is_not_reached(project: Project) -> None:
    found = gate(project, "--timeout", "0.1", code=1)
    assert found == {"workers": [], "reached": False, "problems": ["1 workers wanted on here, 0 there"]}


def test_the_gate_stays_shut_when_too_much_fails(project: Project) -> None:
    for name in "ab":
        project.send(name, "give-up")
    project.worker("async", MESSENGER_RELEASE="r2")
    project.wait_until(lambda: project.registered()[0].failed_last_minute == 2, "both failures reported")
    assert gate(project, "--count", "1", "--timeout", "25", "--max-failures", "2")["reached"]
    found = gate(project, "--count", "1", "--timeout", "25", "--max-failures", "1", code=1)
    (problem,) = found["problems"]
    assert problem.startswith("2 attempts failed in the last minute, 1 may: 2 in here-")
