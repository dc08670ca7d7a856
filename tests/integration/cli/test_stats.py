"""messenger stats: depths, who holds messages, and the alarm for messages that wait too long."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.worker.project import Project

EMPTY = {
    "count": 0,
    "ready": 0,
    "in_flight": 0,
    "delayed": 0,
    "next_due_seconds": None,
    "oldest_seconds": None,
    "max_age": None,
    "late": False,
}


def set_max_age(project: Project, seconds: float, *, of: str = "async") -> None:
    """Give one transport a max_age."""
    text = (project.directory / "messenger.yaml").read_text()
    stream = f"options: {{stream: {of}"
    assert stream in text
    project.write("messenger.yaml", text.replace(stream, f"max_age: {seconds}\n      {stream}"))


def put_old_message(project: Project, *, seconds: int, stream: str = "async") -> None:
    """A message that was sent so long ago."""
    with project.server.client() as client:
        now: Any = client.time()
        client.xadd(stream, {"message": "{}"}, id=f"{(now[0] - seconds) * 1000}-0")


def put_delayed_message(project: Project, *, due: int) -> None:
    """A message that is due in so many seconds; in the past: overdue."""
    with project.server.client() as client:
        now: Any = client.time()
        client.zadd("async__queue", {"{}": (now[0] + due) * 1000})


def test_it_counts_what_is_ready_in_flight_delayed_and_failed(project: Project) -> None:
    project.send("a", "give-up")
    project.send("b", "wait")
    project.send("c")
    worker = project.worker()
    project.wait_for_event("start b")
    project.run("dispatch", "Task", "{}", "--delay", "60000")
    document = project.json("stats")
    for name in ("async", "failed"):
        assert document["transports"][name]["oldest_seconds"] >= 0
        document["transports"][name]["oldest_seconds"] = None
    assert 0 < document["transports"]["async"]["next_due_seconds"] <= 60
    document["transports"]["async"]["next_due_seconds"] = None
    assert document == {
        "transports": {
            "async": {**EMPTY, "count": 1, "ready": 1, "in_flight": 1, "delayed": 1},
            "high": EMPTY,
            "failed": {**EMPTY, "count": 1, "ready": 1},
        },
        "uncountable_transports": [],
        "failed": {"failed": 1},
        "unreachable": {},
    }
    text = project.run("stats").stdout
    assert "1 failed in 'failed': see `messenger failed show`" in text
    worker.process.terminate()
    project.go("b")
    assert worker.code() == 0


def test_verbose_shows_who_holds_messages_and_since_when(project: Project) -> None:
    project.send("a", "wait")
    worker = project.worker("async", MESSENGER_HOST="this-host")
    project.wait_for_event("start a")
    (held,) = project.json("stats", "-v")["transports"]["async"]["consumers"]
    assert held["name"].startswith(f"this-host-{worker.pid}-")
    assert held["in_flight"] == 1
    assert 0 <= held["idle_seconds"] < 60
    assert "consumers" not in project.json("stats")["transports"]["async"]
    lines = project.run("stats", "-v").stdout.splitlines()
    head = next(number for number, line in enumerate(lines) if "CONSUMER" in line)
    assert lines[head + 1].split()[:3] == ["async", held["name"], "1"]


def test_what_cannot_be_asked_is_named_and_the_rest_shown(project: Project) -> None:
    project.server.stop()
    document = project.json("stats", code=1)
    assert set(document["transports"]) == {"failed"}
    assert set(document["unreachable"]) == {"async", "high"}
    assert document["uncountable_transports"] == ["async", "high"]
    assert f"127.0.0.1:{project.server.port}" in document["unreachable"]["async"]


def test_named_transports_only_and_an_unknown_name_is_warned_about(project: Project) -> None:
    assert set(project.json("stats", "high")["transports"]) == {"high"}
    assert set(project.json("stats", "hihg", "high")["transports"]) == {"high"}
    done = project.run("stats", "hihg", "high")
    assert done.stderr == "warning: no transport is called 'hihg'; known: async, high, failed\n"


@pytest.mark.parametrize(("age", "late"), [(3600, True), (5, False)])
def test_a_message_older_than_max_age_makes_its_transport_late(project: Project, age: int, late: bool) -> None:
    set_max_age(project, 600)
    put_old_message(project, seconds=age)
    put_old_message(project, seconds=3600, stream="high")  # nobody set a max_age for this one
    found = project.json("stats")["transports"]
    assert (found["async"]["late"], found["async"]["max_age"]) == (late, 600.0)
    assert (found["high"]["late"], found["high"]["max_age"]) == (False, None)
    assert ("10 min LATE" in project.run("stats").stdout) is late
    assert set(project.json("stats", "--alarm", code=int(late))["transports"]) == {"async", "high", "failed"}
    project.run("stats", code=0)


def test_a_delayed_message_that_no_worker_moved_when_it_was_due_is_late_too(project: Project) -> None:
    set_max_age(project, 600)
    put_delayed_message(project, due=-500)
    project.run("stats", "--alarm")
    put_delayed_message(project, due=-700)
    found = project.json("stats", "--alarm", code=1)["transports"]["async"]
    assert (found["ready"], found["delayed"], found["late"]) == (0, 1, True)
    assert found["next_due_seconds"] < -690
    assert "12 min ago" in project.run("stats").stdout


def test_the_alarm_is_not_silent_when_it_watches_nothing(project: Project) -> None:
    done = project.run("stats", "--alarm", code=78)
    assert "--alarm: no transport that is looked at has a max_age" in done.stderr
    set_max_age(project, 600)
    project.run("stats", "--alarm", "high", code=78)
    project.run("stats", "--alarm", "async", code=0)
    done = project.run("stats", "--alarm", "async", "asnyc", code=1)
    assert "'asnyc'" in done.stderr
    project.server.stop()
    project.run("stats", "--alarm", code=1)
