"""A failed message that is retried needs its lock again."""

from __future__ import annotations

import pytest

from tests.integration.cli.failing import fail, ids, listed, mend
from tests.integration.deduplication.sender import Sender, id_of
from tests.integration.worker.project import Project


@pytest.fixture
def failed(project: Project, tasks: Sender) -> str:
    """The message id of one that has failed."""
    envelope = tasks.send("a", "give-up")
    project.work(1)
    assert tasks.lock() is None
    return id_of(envelope)


def test_sent_back_it_has_its_lock_again(project: Project, tasks: Sender, failed: str) -> None:
    mend(project)
    assert project.run("failed", "retry", "--all").stdout == "1 sent to 'async'\n"
    lock = tasks.lock()
    assert lock is not None
    assert lock.owner == failed
    assert tasks.is_refused()
    project.work(1)
    assert project.events("done") == ["done a"]
    assert tasks.lock() is None


@pytest.mark.parametrize("how", [(), ("--now",)])
def test_while_another_has_it_the_failed_one_stays_as_it_is(
    project: Project, tasks: Sender, failed: str, how: tuple[str, ...]
) -> None:
    (before,) = listed(project)
    other = tasks.send("b", "give-up")
    done = project.run("failed", "retry", *how, before["id"], code=1)
    assert done.stderr == (
        f"{before['id']}: not retried, it stays in 'failed': message {id_of(other)} with the same key "
        "'report 7 of {Zoë}' is on its way; retry this one when that is done, or remove it\n"
    )
    assert listed(project) == [before]
    assert project.events("start") == ["start a"]
    mend(project)
    project.work(1)
    assert project.run("failed", "retry", *how, before["id"]).stderr == ""
    assert listed(project) == []


def test_now_has_it_while_it_is_handled(project: Project, tasks: Sender, failed: str) -> None:
    mend(project, 'event("again", task.name)\n    while not (HERE / "go-a").exists(): time.sleep(0.01)')
    run = project.start("failed", "retry", "--now", "--all")
    project.wait_for_event("again a")
    lock = tasks.lock()
    assert lock is not None
    assert lock.owner == failed
    project.go("a")
    assert run.code() == 0
    assert tasks.lock() is None


@pytest.mark.usefixtures("failed")
def test_now_that_fails_again_frees_it(project: Project, tasks: Sender) -> None:
    project.run("failed", "retry", "--now", "--all", code=1)
    assert tasks.lock() is None
    assert len(ids(project)) == 1


@pytest.mark.usefixtures("failed")
def test_one_that_cannot_be_sent_back_frees_it(project: Project, tasks: Sender) -> None:
    with project.server.client() as client:
        client.delete("async")
        client.set("async", "no stream")
    assert "is of another type" in project.run("failed", "retry", "--all", code=1).stderr
    assert tasks.lock() is None
    assert len(ids(project)) == 1


@pytest.mark.usefixtures("failed")
def test_while_the_locks_are_away_nothing_is_retried(project: Project) -> None:
    before = listed(project)
    project.server.stop()
    for how in ((), ("--now",)):
        text = project.run("failed", "retry", *how, "--all", code=1).stderr
        assert "it stays in 'failed': the message is neither sent nor handled, because it cannot be told" in text
    assert listed(project) == before
    project.server.start()


def test_a_worker_of_the_failure_transport_needs_it_too(project: Project, tasks: Sender, failed: str) -> None:
    other = tasks.send("b")
    mend(project)
    worker = project.start("consume", "failed", "--limit", "1")
    assert worker.code() == 0
    assert f"message {id_of(other)} with the same key" in worker.log
    assert project.events("start") == ["start a"]
    assert [message["message_id"] for message in map(lambda i: listed(project, i)[0], ids(project))] == [failed]
    project.work(1)
    assert project.events("done") == ["done b"]
    assert project.start("consume", "failed", "--limit", "1", "--sleep", "0.1").code() == 0
    assert project.events("done") == ["done b", "done a"]
    assert tasks.lock() is None


def test_messages_without_a_key_need_no_lock(project: Project) -> None:
    fail(project, "a")
    mend(project)
    assert project.run("failed", "retry", "--all").stdout == "1 sent to 'async'\n"
    with project.server.client() as client:
        assert client.keys("test:deduplicate*") == []
