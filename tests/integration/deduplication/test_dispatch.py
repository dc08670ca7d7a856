"""What is sent and what is not, with the locks in a real Redis."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from messenger import TransportError, TransportUnavailable
from tests.integration.deduplication.sender import Sender, id_of, sender
from tests.integration.worker.project import Project
from tests.support.paths import ROOT

SENDER = """
import sys
from messenger import Application, DeduplicateStamp
from tests.integration.deduplication.sender import Task

application = Application.load(sys.argv[1])
application.dispatch(Task(), [DeduplicateStamp("other")])  # connected
print("ready", flush=True)
for line in sys.stdin:
    application.dispatch(Task(), [DeduplicateStamp(f"key {line}")])
"""
AWAY = "  control: 'redis://127.0.0.1:1'\n"


def test_of_two_with_one_key_one_is_sent(project: Project, tasks: Sender, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    first = tasks.send("a")
    assert tasks.is_refused()
    assert project.left() == (1, 0, 0)
    assert (
        f"duplicate_not_sent type=App\\Message\\Task key='report 7 of {{Zoë}}': message {id_of(first)}" in caplog.text
    )


def test_the_lock_is_the_message_s_for_its_ttl(tasks: Sender) -> None:
    first = tasks.send("a", ttl=100)
    lock = tasks.lock()
    assert lock is not None
    assert lock.owner == id_of(first)
    assert 90_000 < lock.milliseconds <= 100_000


def test_a_delay_is_added_to_its_ttl(project: Project, tasks: Sender) -> None:
    tasks.send("a", ttl=3, delay=3_600_000)
    lock = tasks.lock()
    assert lock is not None
    assert 3_600_000 < lock.milliseconds <= 3_603_000
    assert tasks.is_refused()
    assert project.left() == (0, 0, 1)


def test_who_cannot_send_has_no_lock(project: Project, tasks: Sender) -> None:
    with project.server.client() as client:
        client.set("async", "no stream")
        with pytest.raises(TransportError, match="nothing was sent: .* is of another type"):
            tasks.send("a")
        client.delete("async")
    assert tasks.lock() is None
    tasks.send("a")
    assert project.left() == (1, 0, 0)


def test_nothing_is_sent_while_nobody_can_tell_whether_it_is_a_duplicate(project: Project) -> None:
    with sender(project, AWAY) as tasks:
        with pytest.raises(
            TransportUnavailable, match="cannot be told whether it is a duplicate: redis at 127.0.0.1:1"
        ):
            tasks.send("a")
        assert tasks.lock() is None
    with project.server.client() as client:
        assert client.keys() == []


def test_what_is_no_lock_makes_no_duplicate(project: Project, tasks: Sender) -> None:
    with project.server.client() as client:
        client.lpush("test:deduplicate:report 7 of {Zoë}", "no lock")
    tasks.send("a")
    assert project.left() == (1, 0, 0)
    assert tasks.lock() is not None


def test_of_processes_that_send_at_once_one_sends(project: Project, tasks: Sender) -> None:
    command = [sys.executable, "-c", SENDER, str(tasks.application.loaded.path)]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    running: list[Any] = [subprocess.Popen(command, cwd=ROOT, env=project.environment, **pipes) for _ in range(4)]
    for process in running:
        assert process.stdout.readline() == "ready\n"
    for process in running:
        process.stdin.write("".join(f"{number}\n" for number in range(100)))
        process.stdin.flush()
    for process in running:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert project.left() == (101, 0, 0)
