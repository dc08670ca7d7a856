"""An application's own listeners are told what its workers do, in order."""

from __future__ import annotations

import signal

from tests.integration.worker.project import YAML, Project

SETUP = """
import os
from pathlib import Path

import messenger

HERE = Path(os.environ["TEST_DIRECTORY"])
TOLD = ("WorkerStarted", "WorkerMessageReceived", "WorkerMessageHandled", "WorkerMessageFailed", "WorkerStopped")


def write(event):
    with open(HERE / "told", "a") as file:
        file.write(f"{type(event).__name__} {what(event)}\\n")


def what(event):
    if hasattr(event, "envelope"):
        return f"{event.envelope.message.name} of {event.transport}"
    return event.reason if hasattr(event, "reason") else " ".join(event.transports)


def setup(application):
    for name in TOLD:
        application.events.listen(getattr(messenger, name), write)
"""


def test_listeners_are_told_from_start_to_stop(project: Project) -> None:
    project.write("wiring.py", SETUP)
    project.write("messenger.yaml", YAML + "  setup: wiring.setup\n")
    project.send("a")
    project.send("b", "give-up")
    assert project.worker("async", "high", "--limit", "2").code() == 0
    assert (project.directory / "told").read_text().splitlines() == [
        "WorkerStarted async high",
        "WorkerMessageReceived a of async",
        "WorkerMessageHandled a of async",
        "WorkerMessageReceived b of async",
        "WorkerMessageFailed b of async",
        "WorkerStopped limit of 2 messages",
    ]


def test_keepalive_renews_more_often_than_the_lease_alone_would(project: Project) -> None:
    project.write("messenger.yaml", YAML.replace("{stream: async,", "{stream: async, redeliver_timeout: 3600,"))
    project.send("a", "wait")
    worker = project.worker("async", "--keepalive", "0.5")
    project.wait_for_event("start a")
    idle = [0]

    def renewed() -> bool:
        with project.server.client() as client:
            (pending,) = client.xpending_range("async", "symfony", "-", "+", 10)
        idle.append(int(pending["time_since_delivered"]))
        return idle[-1] < idle[-2]

    project.wait_until(renewed, "the lease is renewed")
    project.go("a")
    worker.signal(signal.SIGTERM)
    assert worker.code() == 0
