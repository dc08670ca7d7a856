"""A Redis above maxmemory: what waits is consumed, for that is what frees the memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.worker.project import Project
from tests.support.servers import RedisServer


@pytest.fixture
def full(project: Project) -> Iterator[RedisServer]:
    yield project.server
    with project.server.client() as client:
        client.config_set("maxmemory", "0")


def fill(server: RedisServer) -> None:
    with server.client() as client:
        client.config_set("maxmemory", "1mb")


@pytest.mark.parametrize("was_there", [True, False])
def test_a_worker_that_starts_then_consumes(project: Project, full: RedisServer, was_there: bool) -> None:
    if was_there:
        project.run("setup-transports")
    project.send("a")
    project.send("b")
    fill(full)
    worker = project.start("consume", "async", "--limit", "2")
    assert worker.code() == 0
    assert project.events("done") == ["done a", "done b"]
    assert "not_registered" in worker.log


def test_delayed_messages_that_are_due_are_consumed(project: Project, full: RedisServer) -> None:
    project.run("dispatch", "App\\Message\\Task", '{"name": "a"}', "--delay", "1")
    fill(full)
    worker = project.start("consume", "async", "--limit", "1")
    assert worker.code() == 0
    assert project.events("done") == ["done a"]


def test_a_fixed_consumer_name_is_no_hindrance(project: Project, full: RedisServer) -> None:
    text = (project.directory / "messenger.yaml").read_text()
    project.write("messenger.yaml", text.replace("stream: async,", "stream: async, consumer: me,"))
    project.send("a")
    fill(full)
    assert project.start("consume", "async", "--limit", "1").code() == 0
    assert project.events("done") == ["done a"]


def test_it_heeds_stop_and_pause_though_it_cannot_report(project: Project, full: RedisServer) -> None:
    worker = project.worker("async")
    project.wait_for_workers(1, "idle")
    fill(full)
    worker.wait_for("heartbeat_failed")
    with full.client() as client:
        client.config_set("maxmemory", "0")
        client.hincrby("test:stop", "all", 1)
        client.config_set("maxmemory", "1mb")
    assert worker.code() == 0
    assert "reason='stop-workers'" in worker.log
