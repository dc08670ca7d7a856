"""messenger pause and resume: workers finish their message, take no other, and go on when they may."""

from __future__ import annotations

import socket

from tests.integration.worker.project import Project


def test_a_worker_finishes_its_message_and_takes_no_other_until_it_is_resumed(project: Project) -> None:
    project.send("a", "wait")
    worker = project.worker()
    project.wait_for_event("start a")
    assert project.json("pause", "--reason", "moving house") == {"paused": 0, "working": [project.registered()[0].id]}
    project.send("b")
    project.wait_for_workers(1, "pausing")
    project.go("a")
    (paused,) = project.wait_for_workers(1, "paused")
    assert project.events() == ["start a", "done a"]
    assert (paused.waiting_for or "").startswith("paused by ")
    assert (paused.waiting_for or "").endswith(": moving house")
    assert project.left() == (1, 0, 0)
    assert project.run("resume").stdout == "resumed\n"
    project.wait_for_event("done b")
    assert worker.process.poll() is None, "the process stays"


def test_who_paused_is_the_person(project: Project) -> None:
    project.worker()
    behind_sudo = f"bob@{socket.gethostname()}"
    for arguments, caller, by in [(["--by", "ann@laptop"], "eve", "ann@laptop"), ([], "bob", behind_sudo)]:
        project.run("pause", *arguments, SUDO_USER=caller)
        (paused,) = project.wait_for_workers(1, "paused")
        assert paused.waiting_for == f"paused by {by}"
        project.run("resume")
        project.wait_for_workers(1, "idle")


def test_who_starts_meanwhile_is_paused_too(project: Project) -> None:
    project.run("pause")
    project.send("a")
    project.worker()
    project.wait_for_workers(1, "paused")
    assert project.events() == []
    project.run("resume")
    project.wait_for_event("done a")


def test_a_paused_worker_can_be_stopped(project: Project) -> None:
    project.run("pause")
    worker = project.worker()
    project.wait_for_workers(1, "paused")
    project.run("stop-workers", "--wait", "20")
    assert worker.code() == 0


def test_wait_says_who_is_still_at_work(project: Project) -> None:
    project.send("a", "wait")
    project.worker()
    project.wait_for_event("start a")
    (registered,) = project.registered()
    done = project.run("pause", "--wait", "0.3", code=1)
    assert done.stdout == "paused; 1 workers are still at work\n"
    assert done.stderr.startswith(f"still at work: {registered.id} (")
    project.go("a")
    assert project.run("pause", "--wait", "20").stdout == "paused; no worker is at work\n"


def test_pools_and_hosts_are_paused_for_themselves(project: Project) -> None:
    for pool in ("light", "heavy"):
        project.worker("high", SUPERVISOR_GROUP_NAME=pool)
    project.worker("high", MESSENGER_HOST="there", SUPERVISOR_GROUP_NAME="heavy")
    project.run("pause", "--pool", "heavy", "--host", "here")

    def states() -> list[tuple[str, str, str]]:
        return [(worker.host, worker.pool, worker.state) for worker in project.registered()]

    wanted = [("here", "heavy", "paused"), ("here", "light", "idle"), ("there", "heavy", "idle")]
    project.wait_until(lambda: states() == wanted, f"one of them is paused: {states()}")
    project.run("pause", "--pool", "heavy")
    project.wait_until(lambda: [state for *_, state in states()] == ["paused", "idle", "paused"], "the pool is paused")
    answer = project.json("resume", "--pool", "heavy")
    assert (answer["resumed"], list(answer["still_paused"])) == (True, ["host:here:pool:heavy"])
    assert project.json("resume", "--pool", "heavy")["resumed"] is False
    project.wait_until(lambda: states() == wanted, f"one of them is still paused: {states()}")
    assert project.json("resume") == {"resumed": True, "still_paused": {}}
    project.wait_for_workers(3, "idle")
