"""What workers do with a transport that has a rate limiter."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from tests.integration.worker.project import TASKS, Project

MORE_TASKS = """

from messenger import TransportUnavailable
from messenger.events import WorkerRateLimited


@handler
def on_task_too(task: Task):
    with open(HERE / "times", "a") as file:
        file.write(f"{time.time()}\\n")


def setup(app):
    app.events.listen(WorkerRateLimited, lambda e: event("limited", f"{e.limiter}/{e.transport}/{name_of(e.envelope)}"))


def name_of(envelope):
    return envelope.message.name if envelope is not None else "-"


class Quota:
    def acquire(self, key):
        if not (HERE / "go-quota").exists():
            raise TransportUnavailable("quota is away")
        return 0.0

    def give_back(self, key):
        pass
"""
HOURLY = "{limit: 1, interval: 3600}"
HOURLY_BY_KEY = "{limit: 1, interval: 3600, key: do}"


def limit(project: Project, limiter: str) -> None:
    """Give the transport `async` this limiter."""
    project.write("tasks.py", TASKS + MORE_TASKS)
    text = (project.directory / "messenger.yaml").read_text()
    text = text.replace(
        "claim_interval: 200}", "claim_interval: 200, redeliver_timeout: 1}\n      rate_limiter: gateway"
    )
    project.write("messenger.yaml", f"{text}  setup: tasks.setup\n  rate_limiters:\n    gateway: {limiter}\n")


def delayed(project: Project) -> list[dict[str, Any]]:
    """The headers of the messages that wait for their time."""
    with project.server.client() as client:
        members: Any = client.zrange("async__queue", 0, -1)
    return [json.loads(json.loads(member)["message"] if b'"message"' in member else member) for member in members]


def test_two_workers_share_a_limit_and_never_exceed_it(project: Project) -> None:
    limit(project, "{limit: 2, interval: 1}")
    for number in range(8):
        project.send(str(number))
    with project.server.client() as client:
        seconds, microseconds = client.time()
    began = seconds + microseconds / 1_000_000
    workers = [project.start("consume", "async", "--limit", "4") for _ in range(2)]
    assert [worker.code() for worker in workers] == [0, 0]
    times = sorted(float(line) for line in (project.directory / "times").read_text().split())
    assert len(times) == 8
    too_early = [(n, time - began) for n, time in enumerate(times) if time < began + n * 0.5]
    assert not too_early, "the n-th has the n-th token at best, and there is one in half a second"
    assert "limited gateway/async/-" in project.events()


def test_a_limited_transport_does_not_hold_up_another(project: Project) -> None:
    limit(project, HOURLY)
    project.send("a")
    project.send("b")
    worker = project.worker("async", "high")
    project.wait_for_event("limited gateway/async/-")
    for name in "cd":
        project.send(name, stream="high")
        project.wait_for_event(f"done {name}")
    worker.signal(signal.SIGTERM)
    assert worker.code() == 0
    assert project.events("done") == ["done a", "done c", "done d"]
    assert project.left() == (1, 0, 0)


def test_idle_workers_give_their_tokens_back(project: Project) -> None:
    limit(project, HOURLY)
    for _ in range(2):
        project.worker("async")
    with project.server.client() as client:
        project.wait_until(lambda: bool(client.exists("test:rate:gateway")), "a token is taken")
    project.send("a")
    project.wait_for_event("done a")


@pytest.mark.parametrize("limiter", [HOURLY, HOURLY_BY_KEY])
def test_a_stop_ends_a_worker_that_waits_for_a_token(project: Project, limiter: str) -> None:
    limit(project, limiter)
    project.send("a")
    project.send("b")
    worker = project.worker("async")
    name = "-" if limiter == HOURLY else "b"
    project.wait_for_event(f"limited gateway/async/{name}")
    worker.signal(signal.SIGTERM)
    assert worker.code() == 0
    assert project.events("done") == ["done a"]
    assert sum(project.left()) == 1


def test_a_busy_key_does_not_hold_up_another(project: Project) -> None:
    limit(project, HOURLY_BY_KEY)
    for name in ("a1", "a2", "a3", "b1"):
        project.send(name, name[0])
    assert project.worker("async", "--limit", "2").code() == 0
    assert project.events("done") == ["done a1", "done b1"]
    assert project.events("limited") == ["limited gateway/async/a2", "limited gateway/async/a3"]
    assert project.left() == (0, 0, 2)


def test_one_that_waits_for_its_turn_is_marked_until_it_is_handled(project: Project) -> None:
    limit(project, "{limit: 1, interval: 2, key: do}")
    worker = project.worker("async")
    for name in ("a", "b"):
        project.send(name, "k")
    project.wait_for_event("limited gateway/async/b")
    project.wait_until(lambda: len(delayed(project)) == 1, "it is put back")
    assert delayed(project)[0]["headers"]["X-Messenger-Turn"] == "1"
    project.wait_for_event("done b")
    worker.signal(signal.SIGTERM)
    assert worker.code() == 0


def test_being_limited_is_no_attempt(project: Project) -> None:
    """max_retries is 1: each is handled twice and then kept, however often it had to wait before."""
    limit(project, "{limit: 1, interval: 0.5, key: do}")
    for name in "abc":
        project.send(name, "fail")
    assert project.worker("async", "--limit", "6").code() == 0
    assert project.events("limited")
    assert sorted(project.events("start")) == [f"start {name}" for name in "aabbcc"]
    assert len(project.json("failed", "show")["messages"]) == 3
    assert project.left() == (0, 0, 0)


def test_a_message_goes_back_with_one_fresh_delay_and_no_retry_count(project: Project) -> None:
    limit(project, HOURLY_BY_KEY)
    project.send("a", "k")
    project.run("dispatch", "Task", '{"name": "b", "do": "k"}', "--delay", "1")
    worker = project.worker("async")
    project.wait_for_event("limited gateway/async/b")
    project.wait_until(lambda: project.left() == (0, 0, 1), "it is put back")
    worker.signal(signal.SIGTERM)
    assert worker.code() == 0
    [message] = delayed(project)
    stamps = {name: value for name, value in message["headers"].items() if name.startswith("X-Message-Stamp-")}
    [delay] = json.loads(next(value for name, value in stamps.items() if name.endswith("DelayStamp")))
    assert delay["delay"] > 1
    assert not [name for name in stamps if name.endswith("RedeliveryStamp")]


def test_a_message_handed_out_before_is_handled_and_not_put_back(project: Project) -> None:
    """Putting it back would start its deliveries again, and max_deliveries would never be reached."""
    limit(project, HOURLY_BY_KEY)
    project.send("a", "wait")
    first = project.worker("async")
    project.wait_for_event("start a")
    first.kill()
    project.go("a")
    assert project.worker("async", "--limit", "1").code() == 0
    assert project.events() == ["start a", "limited gateway/async/a", "start a", "done a"]


@pytest.mark.parametrize("limiter", ["{service: tasks.Quota}", "{service: tasks.Quota, key: do}"])
def test_while_the_limiter_is_away_nothing_is_handled_and_nothing_lost(project: Project, limiter: str) -> None:
    limit(project, limiter)
    project.send("a")
    worker = project.worker("async", "high", "--limit", "2")
    worker.wait_for("waiting_for quota is away")
    project.send("b", stream="high")
    project.wait_for_event("done b")
    assert project.events("start") == ["start b"]
    project.go("quota")
    assert worker.code() == 0
    assert project.events("done") == ["done b", "done a"]
    assert project.left() == (0, 0, 0)
