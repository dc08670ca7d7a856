"""Somebody has added an entry with the largest possible id: the stream takes no message, until it is mended."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.worker.project import Project

LARGEST = f"{2**64 - 1}-{2**64 - 1}"


def findings(project: Project, level: str) -> list[Any]:
    found = project.json("check", code=None)["findings"]
    return [each for each in found if each["level"] == level and each["check"] == "redis-stream"]


def test_it_is_said_and_can_be_mended(project: Project) -> None:
    project.send("a")
    project.send("b")
    with project.server.client() as client:
        client.xgroup_create("async", "audit", "0")
        client.xadd("async", {"message": "x"}, id=LARGEST)
    done = project.run("dispatch", "Task", "{}", code=1)
    assert done.stderr.count("\n") == 1
    assert "has an entry with the largest possible id and takes no other; `messenger check` says" in done.stderr
    (finding,) = findings(project, "fail")
    assert "messenger repair --stream TRANSPORT" in finding["change"]
    assert "has 3 entries" in project.run("repair", "--stream", "async", code=1).stderr
    project.work(3)
    with project.server.client() as client:
        client.xgroup_destroy("async", "audit")
        client.xtrim("async", maxlen=0)
        client.xgroup_create("async", "audit", "0")
    assert project.run("repair", "--stream", "async").stdout == "begun again: stream 'async'\n"
    assert findings(project, "fail") == []
    with project.server.client() as client:
        groups: Any = client.xinfo_groups("async")
        assert sorted(group["name"] for group in groups) == [b"audit", b"symfony"]
    project.run("dispatch", "Task", '{"name": "c"}')
    project.work(1)
    assert project.events("done") == ["done a", "done b", "done c"]


def test_ids_ahead_of_the_clock_are_a_warning(project: Project) -> None:
    with project.server.client() as client:
        client.xadd("async", {"message": "x"}, id=f"{2**60}-0")
    (finding,) = findings(project, "warn")
    assert "an id in the future" in finding["found"]
    project.run("stats")


@pytest.mark.parametrize("key", ["async", "async__queue"])
def test_a_key_of_another_type_is_named(project: Project, key: str) -> None:
    with project.server.client() as client:
        client.set(key, "x")
    assert [each["change"].startswith(f"redis-cli RENAME {key} ") for each in findings(project, "fail")] == [True]
    done = project.run("dispatch", "Task", "{}", "--delay", "1000" if "queue" in key else "0", code=1)
    assert done.stderr.count("\n") == 1
    assert "is of another type; `messenger check` says how to mend it" in done.stderr


def test_a_worker_replaces_delayed_messages_of_another_type(project: Project) -> None:
    with project.server.client() as client:
        client.set("async__queue", "x")
    worker = project.worker()
    project.send("a", "fail-once")
    project.wait_for_event("done a")
    worker.wait_for("key_deleted transport=async key=async__queue")
    assert "Traceback" not in worker.log


def test_a_message_that_is_delayed_for_ever_is_named(project: Project) -> None:
    project.run("dispatch", "Task", "{}", "--delay", "1000")
    with project.server.client() as client:
        members: Any = client.zrange("async__queue", 0, -1)
        client.zadd("async__queue", {members[0]: "inf"})
    (finding,) = findings(project, "warn")
    assert "due in more than ten years" in finding["found"]
    assert "1000" in project.run("stats").stdout or project.json("stats")["transports"]["async"]["delayed"] == 1


def test_other_transports_have_no_stream(project: Project) -> None:
    assert "has no stream" in project.run("repair", "--stream", "failed", code=64).stderr
