"""A store is away while a message is in hand: it is held, and never lost."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.integration.worker.project import Project
from tests.support.servers import RedisServer


@pytest.fixture
def other_server() -> Iterator[RedisServer]:
    """A second Redis, not started yet."""
    server = RedisServer()
    yield server
    server.destroy()


def fail_to(project: Project, dsn: str) -> None:
    """Let failed messages go to this transport; leases last one second."""
    text = (project.directory / "messenger.yaml").read_text()
    text = text.replace("'doctrine://default?queue_name=failed'", f"'{dsn}'")
    project.write("messenger.yaml", text.replace("claim_interval: 200", "claim_interval: 200, redeliver_timeout: 1"))


def test_a_failed_message_is_held_until_the_failure_store_is_there(project: Project, other_server: RedisServer) -> None:
    fail_to(project, other_server.url("/failed"))
    project.send("a", "give-up")
    holder = project.worker()
    holder.wait_for("not_settled transport=async")
    project.worker()
    assert project.left() == (0, 1, 0)
    project.send("b", "sleep 1.5")  # meanwhile a whole lease of `a` goes by
    project.send("c")
    project.wait_for_event("done c")
    other_server.start()
    project.wait_until(lambda: project.left() == (0, 0, 0), "settled")
    assert project.events("start") == ["start a", "start b", "start c"], "held by one worker all the time"
    assert [m["error"] for m in project.json("failed", "show")["messages"]] == [
        "messenger.errors.UnrecoverableError: hopeless a"
    ]
    assert "kept_in=failed" in holder.log


def test_a_worker_that_must_stop_meanwhile_leaves_it_pending_and_ends_with_1(
    project: Project, other_server: RedisServer
) -> None:
    fail_to(project, other_server.url("/failed"))
    project.send("a", "give-up")
    worker = project.worker()
    worker.wait_for("not_settled transport=async")
    worker.signal(signal.SIGTERM)
    assert worker.code() == 1
    assert "left_pending transport=async" in worker.log
    assert project.left() == (0, 1, 0)
    other_server.start()
    again = project.worker("async", "--limit", "1")
    assert again.code() == 0
    assert "delivery=2" in again.log
    assert len(project.json("failed", "show")["messages"]) == 1


def test_other_transports_go_on_meanwhile(project: Project, other_server: RedisServer) -> None:
    fail_to(project, other_server.url("/failed"))
    project.send("a", "give-up")
    worker = project.worker("async", "high")
    worker.wait_for("not_settled transport=async")
    project.send("b", stream="high")
    project.wait_for_event("done b")
    assert project.left() == (0, 1, 0), "a is still in hand, and nothing else of its transport is taken"
    other_server.start()
    worker.wait_for("settled_late transport=async")
    project.wait_until(lambda: project.left() == (0, 0, 0), "settled")
