"""Whatever somebody else has written into the control plane's keys: no worker and no command dies of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.worker.project import Project
from tests.support.worker_info import ENTRY

Plant = tuple[Any, ...]
ALIEN = json.dumps({"id": "another", "host": "here"})
HUGE = 20_000_000  # bytes
LUA = "return redis.call('{}', KEYS[1], ARGV[1], string.rep('x', ARGV[2]))"
PLANTS: dict[str, list[Plant]] = {
    "a pause that is no JSON": [("HSET", "test:paused", "all", "{bad")],
    "a pause of other types": [("HSET", "test:paused", "host:here", '{"by": 1, "reason": null, "since": "x"}')],
    "a pause in the future": [("HSET", "test:paused", "all", '{"by": "a", "reason": "", "since": 99999999999}')],
    "a pause without UTF-8": [("HSET", "test:paused", b"\xff\xfe", b"\x80")],
    "a huge pause": [("EVAL", LUA.format("HSET"), 1, "test:paused", "all", HUGE)],
    "no counter": [("HSET", "test:stop", "all", "garbage"), ("HSET", "test:stop", "host:here", "-5")],
    "the largest counter": [("HSET", "test:stop", "all", str(2**63 - 1)), ("HSET", "test:stop", "host:here", "1e9")],
    "a huge counter": [("EVAL", LUA.format("HSET"), 1, "test:stop", "all", HUGE)],
    "too many scopes": [("EVAL", "for i = 1, 20000 do redis.call('HSET', KEYS[1], i, 'x') end", 1, "test:paused")],
    "a long name": [("HSET", "test:paused", "x" * 100_000, "x"), ("HSET", "test:stop", "y" * 100_000, "1")],
    "stop is a text": [("SET", "test:stop", "x")],
    "paused is a list": [("DEL", "test:paused"), ("RPUSH", "test:paused", "x")],
    "the registry is a text": [("SET", "test:workers", "x")],
    "the registry is a hash": [("DEL", "test:workers"), ("HSET", "test:workers", "x", "y")],
    "a worker for ever": [("ZADD", "test:workers", "+inf", "x"), ("SET", "test:worker:x", "garbage")],
    "a worker without UTF-8": [("ZADD", "test:workers", "+inf", b"\xff"), ("SET", b"test:worker:\xff", b"\xff\xfe")],
    "a huge worker": [("ZADD", "test:workers", "NOW", "x"), ("SETRANGE", "test:worker:x", HUGE, "x")],
    "a huge id": [("EVAL", "redis.call('ZADD', KEYS[1], 'inf', string.rep('x', ARGV[1]))", 1, "test:workers", HUGE)],
    "another worker's words": [("ZADD", "test:workers", "NOW", "x"), ("SET", "test:worker:x", ALIEN)],
    "numbers out of range": [("ZADD", "test:workers", "NOW", "x"), ("SET", "test:worker:x", "OUT_OF_RANGE")],
    "a worker that is a set": [("ZADD", "test:workers", "NOW", "x"), ("SADD", "test:worker:x", "y")],
    "a worker in ten minutes": [("ZADD", "test:workers", "LATER", "x"), ("SET", "test:worker:x", "VALID")],
}
VALID = ENTRY | {"id": "x", "process": "p", "started_at": "now", "uptime_seconds": 1.0}


def plant(project: Project, name: str) -> None:
    """Write it, as somebody with another client would."""
    with project.server.client() as client:
        seconds, _ = client.time()
        words = {
            "NOW": seconds * 1000,
            "LATER": (seconds + 600) * 1000,
            "VALID": json.dumps(VALID),
            "OUT_OF_RANGE": json.dumps(VALID | {"uptime_seconds": 1e300, "failed_last_minute": -(10**30)}),
        }
        for command in PLANTS[name]:
            client.execute_command(*(words.get(word, word) if isinstance(word, str) else word for word in command))


def found(project: Project) -> list[str]:
    """What `messenger check` says of the control plane's values that is not well."""
    document = json.loads(project.run("check", "--format", "json", code=None).stdout)
    return [each["found"] for each in document["findings"] if each["check"] == "control-values" and each["change"]]


@pytest.mark.parametrize("name", PLANTS)
def test_everything_goes_on(project: Project, name: str) -> None:
    before = project.worker()
    plant(project, name)
    assert "test:" in " ".join(found(project)), "check names it"
    after = project.worker(MESSENGER_POOL="p")
    project.send("a")
    project.wait_for_event("done a")
    project.run("workers")
    plant(project, name)
    assert project.run("pause", "--wait", "20").stdout == "paused; no worker is at work\n"
    plant(project, name)
    project.run("resume")
    project.send("b")
    project.wait_for_event("done b")
    plant(project, name)
    project.run("stop-workers", "--wait", "20")
    for worker in (before, after):
        assert worker.code() == 0
        assert "reason='stop-workers'" in worker.log
        assert "Traceback" not in worker.log
        assert worker.log.count("control_unreadable") <= 5, "each is named once"


@pytest.mark.parametrize("name", PLANTS)
def test_it_can_be_removed(project: Project, name: str) -> None:
    plant(project, name)
    assert project.json("repair", "--dry-run")["left"]
    project.run("workers")
    plant(project, name)
    assert project.run("repair").stdout.startswith("removed: test:")
    assert project.run("repair").stdout == "everything can be read\n"
    assert found(project) == []
    with project.server.client() as client:
        assert not client.exists("test:worker:x", b"test:worker:\xff")


def test_it_is_named_by_the_worker_and_by_commands(project: Project) -> None:
    worker = project.worker()
    plant(project, "a pause that is no JSON")
    plant(project, "another worker's words")
    worker.wait_for("control_unreadable test:paused 'all': JSON is malformed")
    done = project.run("workers")
    assert "unreadable: test:worker 'x': " in done.stderr
    assert "`messenger repair` removes it" in done.stderr
    plant(project, "another worker's words")
    assert project.json("workers")["unreadable"]


def test_a_stream_of_that_name_is_never_deleted(project: Project) -> None:
    with project.server.client() as client:
        for key in ("test:workers", "test:stop", "test:paused"):
            client.xadd(key, {"message": "of another application"})
    worker = project.worker()
    project.send("a")
    project.wait_for_event("done a")
    assert "it is no" in " ".join(found(project))
    assert "unreadable: test:workers: " in project.run("repair", code=1).stderr
    assert project.run("stop-workers", code=1).stderr.count("\n") == 1
    with project.server.client() as client:
        assert [client.xlen(key) for key in ("test:workers", "test:stop", "test:paused")] == [1, 1, 1]
    assert "Traceback" not in worker.log
    assert "removed: test:stop: " in project.run("repair", "--force").stdout
    project.run("stop-workers", "--wait", "20")
    assert worker.code() == 0


def test_a_worker_says_that_it_has_replaced_a_key(project: Project) -> None:
    worker = project.worker()
    plant(project, "the registry is a text")
    worker.wait_for("control_unreadable test:workers: it was of another type, and is replaced")
    project.wait_for_workers(1)


def test_a_worker_of_this_host_without_a_process_is_not_waited_for(project: Project) -> None:
    worker = project.worker()
    (there,) = project.wait_for_workers(1)
    with project.server.client() as client:
        for worker_id, more in (("gone", {"pid": 2**22}), ("first", {"pid": 1}), ("reused", {"pid": there.pid})):
            value = VALID | {"id": worker_id, "state": "busy", "start_ticks": 1} | more
            client.set(f"test:worker:{worker_id}", json.dumps(value))
            client.zadd("test:workers", {worker_id: client.time()[0] * 1000 + 30_000})
    assert len(project.json("workers")["workers"]) == 4, "an operator sees what the registry says"
    assert [each["id"] for each in project.json("check", code=None)["workers"]] == [there.id]
    assert project.run("pause", "--wait", "20").stdout == "paused; no worker is at work\n"
    answer = project.json("stop-workers", "--host", "here", "--wait", "20")
    assert (answer["asked"], answer["gone"], answer["workers"][0]["pid"]) == (1, 1, there.pid)
    assert worker.code() == 0


def test_pauses_and_counters_that_can_be_read_stay(project: Project) -> None:
    project.run("pause", "--pool", "heavy")
    project.run("stop-workers")
    for name in ("a pause that is no JSON", "no counter", "a long name"):
        plant(project, name)
    project.run("repair")
    with project.server.client() as client:
        assert client.hkeys("test:paused") == [b"pool:heavy"]
        assert client.hkeys("test:stop") == []


def test_an_answer_that_is_garbage_is_passed_over(project: Project) -> None:
    run = project.start("dispatch", "Task", '{"name": "a"}', "--wait", "30")
    with project.server.client() as client:
        project.wait_until(lambda: client.xlen("async") == 1, "it is sent")
        ((_, fields),) = client.xrange("async")
        token = json.loads(fields[b"message"])["headers"]["X-Messenger-Reply"]
        client.set(f"test:reply:{token}", b"\xff" * 1_000_000)
        project.worker()
    assert run.code() == 0
    assert "handled by" in run.log
    assert "Traceback" not in run.log
