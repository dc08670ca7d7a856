"""messenger stop-workers: asked by a counter, answered by leaving."""

from __future__ import annotations

from tests.integration.cli.terminal import Terminal
from tests.integration.worker.project import Project, Run


def two_releases(project: Project) -> tuple[Run, Run]:
    old = project.start("consume", "high", MESSENGER_RELEASE="old")
    new = project.start("consume", "high", MESSENGER_RELEASE="new")
    return old.started(), new.started()


def test_every_worker_is_asked_finishes_its_message_and_leaves(project: Project) -> None:
    project.send("a", "wait")
    busy = project.start("consume", "async")
    idle = project.start("consume", "high", "--sleep", "1000", MESSENGER_HOST="there")
    busy.started(), idle.started()
    project.wait_for_event("start a")
    ids = [worker.id for worker in project.wait_for_workers(2)]
    assert project.json("stop-workers")["asked"] == 2
    assert idle.code() == 0
    answer = project.json("stop-workers", "--wait", "0.3", code=1)
    (left,) = answer["remaining"]
    (row,) = answer.pop("workers")
    assert answer == {"asked": 1, "gone": 0, "remaining": [left], "detached": []}
    assert left in ids
    assert (row["id"], row["outcome"], row["message"]["type"]) == (left, "remaining", "App\\Message\\Task")
    project.go("a")
    assert busy.code() == 0
    assert project.json("stop-workers", "--wait", "5")["workers"] == []
    assert project.events() == ["start a", "done a"]
    for run in (busy, idle):
        assert "reason='stop-workers'" in run.log


def test_it_says_in_words_who_is_still_there(project: Project) -> None:
    project.send("a", "wait")
    worker = project.worker()
    project.wait_for_event("start a")
    (registered,) = project.wait_for_workers(1)
    done = project.run("stop-workers", "--wait", "0.3", code=1)
    assert done.stdout == "1 workers asked to stop, 0 have left\n"
    assert done.stderr.startswith(f"still there: {registered.id} (")
    project.go("a")
    assert worker.code() == 0


def test_wait_returns_once_they_have_left(project: Project) -> None:
    worker = project.worker("high")
    (registered,) = project.wait_for_workers(1)
    answer = project.json("stop-workers", "--wait", "25")
    (row,) = answer.pop("workers")
    assert answer == {"asked": 1, "gone": 1, "remaining": [], "detached": []}
    assert (row["id"], row["pid"], row["outcome"], row["message"]) == (registered.id, registered.pid, "left", None)
    assert 0 <= row["seconds"] < 25
    assert worker.code() == 0


def test_a_terminal_sees_how_many_have_left(project: Project) -> None:
    project.send("a", "wait")
    busy = project.start("consume", "async")
    project.start("consume", "high").started()
    busy.started()
    project.wait_for_event("start a")
    project.wait_for_workers(2)
    with Terminal(project, "stop-workers", "--wait", "25") as terminal:
        terminal.expect("Leaving")
        terminal.expect("1/2")
        project.go("a")
        terminal.expect("2/2")
        assert terminal.code() == 0
        assert terminal.stdout == "2 workers asked to stop, 2 have left\n"


def test_a_worker_started_after_the_request_is_not_meant(project: Project) -> None:
    project.run("stop-workers")
    project.run("stop-workers")
    project.send("a")
    project.send("b", "sleep 1.5")
    worker = project.worker("async", "--limit", "2")
    assert worker.code() == 0
    assert "reason='limit of 2 messages'" in worker.log


def test_only_one_host_is_asked(project: Project) -> None:
    here = project.start("consume", "high", MESSENGER_HOST="worker1")
    there = project.start("consume", "high", MESSENGER_HOST="worker2")
    here.started(), there.started()
    registered = project.wait_for_workers(2)
    answer = project.json("stop-workers", "--host", "worker1", "--wait", "25")
    assert [row["id"] for row in answer["workers"]] == [worker.id for worker in registered if worker.host == "worker1"]
    assert (answer["asked"], answer["gone"]) == (1, 1)
    assert here.code() == 0
    assert [worker.host for worker in project.registered()] == ["worker2"]
    assert there.process.poll() is None


def test_workers_on_the_release_that_is_kept_are_spared(project: Project) -> None:
    old, new = two_releases(project)
    project.wait_for_workers(2)
    answer = project.json("stop-workers", "--host", "here", "--keep-release", "new", "--wait", "25")
    assert (answer["asked"], answer["gone"]) == (1, 1)
    assert [(row["release"], row["outcome"]) for row in answer["workers"]] == [("old", "left")]
    assert old.code() == 0
    assert project.json("stop-workers", "--host", "here", "--keep-release", "new", "--wait", "5")["asked"] == 0
    assert [worker.release for worker in project.registered()] == ["new"]
    assert new.process.poll() is None


def test_an_emptied_redis_does_not_hide_the_next_request(project: Project) -> None:
    for _ in range(3):
        project.run("stop-workers")
    worker = project.worker("high")
    project.wait_for_workers(1)
    project.server.clear()
    project.wait_for_workers(1)  # registered again, and so has seen that the counter fell
    project.run("stop-workers")
    assert worker.code() == 0
    assert "reason='stop-workers'" in worker.log


def test_without_a_redis_it_says_how_to_have_one(project: Project) -> None:
    project.write("messenger.yaml", "messenger: {transports: {async: 'in-memory://'}}")
    assert "set 'control: redis://HOST'" in project.run("stop-workers", code=78).stderr


def test_a_redis_that_is_away_is_one_line(project: Project) -> None:
    project.server.stop()
    for command in ("stop-workers", "workers"):
        done = project.run(command, code=1)
        assert done.stderr.startswith(f"messenger: redis at 127.0.0.1:{project.server.port} (db 0): ")
        assert done.stderr.count("\n") == 1
