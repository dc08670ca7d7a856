"""A message keeps its lock until it is handled or has failed for good, whatever happens on the way."""

from __future__ import annotations

import pytest

from tests.integration.cli.failing import edit, listed
from tests.integration.deduplication.sender import Condition, Sender, id_of, sender
from tests.integration.worker.project import Project

SHORT_LEASE = ("claim_interval: 200", "claim_interval: 200, redeliver_timeout: 1")
SQL = (
    "dsn: '%env(MESSENGER_TRANSPORT_DSN)%'\n      options: {stream: async, claim_interval: 200}",
    "dsn: 'doctrine://default?queue_name=async'",
)
BATCH = """
from messenger import Acknowledger, Batch

@handler(batch=Batch(size=2, max_wait=3600, max_idle=3600))
def in_batches(tasks: list[Task], acknowledger: Acknowledger):
    event("batch", "+".join(task.name for task in tasks))
    for task in tasks:
        acknowledger.ack(task)

def unused(task: Task):
"""


def is_owned_by(envelope_id: str, above: int = 0) -> Condition:
    """A condition: this message has the lock, for more than so many milliseconds."""
    return lambda lock: lock is not None and lock.owner == envelope_id and lock.milliseconds > above


def test_success_frees_it(project: Project, tasks: Sender) -> None:
    tasks.send("a")
    project.work(1)
    assert tasks.lock() is None
    tasks.send("b")
    project.work(1)
    assert project.events("done") == ["done a", "done b"]


def test_while_it_waits_for_its_retry_it_keeps_it_for_that_long_and_its_ttl(project: Project, tasks: Sender) -> None:
    edit(project, "messenger.yaml", "delay: 10,", "delay: 3600000,")
    first = tasks.send("a", "fail", ttl=100)
    project.work(1)
    lock = tasks.lock()
    assert lock is not None
    assert lock.owner == id_of(first)
    assert 3_690_000 < lock.milliseconds <= 3_700_000
    assert tasks.is_refused()
    assert project.left() == (0, 0, 1)


def test_its_retry_is_not_its_own_duplicate(project: Project, tasks: Sender) -> None:
    tasks.send("a", "fail-once")
    project.work(2)
    assert project.events() == ["start a", "start a", "done a"]
    assert tasks.lock() is None


@pytest.mark.parametrize(("do", "tries"), [("give-up", 1), ("fail", 2)])
def test_the_final_failure_frees_it(project: Project, tasks: Sender, do: str, tries: int) -> None:
    tasks.send("a", do)
    project.work(tries)
    assert len(listed(project)) == 1
    assert tasks.lock() is None
    project.run("failed", "remove", "--all", "--force")
    assert tasks.lock() is None
    assert not tasks.is_refused()


def test_what_a_release_cannot_read_frees_it_too(project: Project, tasks: Sender) -> None:
    tasks.send("a")
    edit(project, "tasks.py", "App\\\\Message\\\\Task", "App\\\\Message\\\\New")
    project.work(1)
    assert len(listed(project)) == 1
    assert tasks.lock() is None


def test_a_handler_that_takes_longer_than_the_ttl_keeps_it(project: Project, tasks: Sender) -> None:
    first = tasks.send("a", "wait", ttl=9)
    worker = project.worker("async", "--limit", "1")
    project.wait_for_event("start a")
    for _ in range(3):
        tasks.shorten_lock(8_000)
        tasks.wait_for_lock(is_owned_by(id_of(first), above=8_000), "renewed")
    assert tasks.is_refused()
    project.go("a")
    assert worker.code() == 0
    assert tasks.lock() is None


def test_what_a_worker_has_taken_and_not_begun_keeps_it(project: Project, tasks: Sender) -> None:
    project.send("first", "wait")
    second = tasks.send("a", ttl=9)
    tasks.shorten_lock(8_000)
    worker = project.worker("async", "--limit", "2", "--fetch-size", "2")
    tasks.wait_for_lock(is_owned_by(id_of(second), above=8_000), "renewed")
    assert project.events() == ["start first"]
    project.go("first")
    assert worker.code() == 0
    assert tasks.lock() is None


def test_in_a_batch_it_keeps_it_until_the_batch_is_done(project: Project, tasks: Sender) -> None:
    edit(project, "tasks.py", "@handler\ndef on_task(task: Task):\n", BATCH)
    first = tasks.send("a", ttl=9)
    worker = project.worker("async", "--limit", "2")
    for _ in range(2):
        tasks.shorten_lock(8_000)
        tasks.wait_for_lock(is_owned_by(id_of(first), above=8_000), "renewed")
    assert project.events() == []
    project.send("b")
    assert worker.code() == 0
    assert project.events() == ["batch a+b"]
    assert tasks.lock() is None


def test_a_lock_that_expired_is_not_taken_back_and_not_taken_from_another(project: Project, tasks: Sender) -> None:
    tasks.send("a", "wait", ttl=9)
    worker = project.worker("async", "--limit", "1")
    project.wait_for_event("start a")
    tasks.shorten_lock(1)
    tasks.wait_until_free()
    second = tasks.send("b", ttl=9)
    project.go("a")
    assert worker.code() == 0
    assert project.events("done") == ["done a"]
    tasks.wait_for_lock(is_owned_by(id_of(second)), "the second's")


def test_a_killed_worker_leaves_it_to_the_worker_that_has_the_message_next(project: Project, tasks: Sender) -> None:
    edit(project, "messenger.yaml", *SHORT_LEASE)
    first = tasks.send("a", "wait")
    killed = project.worker()
    project.wait_for_event("start a")
    killed.kill()
    assert tasks.is_refused()
    tasks.shorten_lock(100_000)
    worker = project.worker("async", "--limit", "1")
    project.wait_for_event("start a", times=2)
    tasks.wait_for_lock(is_owned_by(id_of(first), above=100_000), "renewed")
    project.go("a")
    assert worker.code() == 0
    assert project.events("done") == ["done a"]
    assert tasks.lock() is None


def test_nobody_renews_the_lock_of_a_killed_worker(project: Project, tasks: Sender) -> None:
    tasks.send("a", "wait", ttl=3)
    killed = project.worker()
    project.wait_for_event("start a")
    killed.kill()
    tasks.wait_until_free()
    assert not tasks.is_refused()


def test_only_in_queue_is_free_once_handling_begins(project: Project, tasks: Sender) -> None:
    tasks.send("a", "wait", only_in_queue=True)
    assert tasks.is_refused()
    worker = project.worker("async", "--limit", "1")
    project.wait_for_event("start a")
    second = tasks.send("b", only_in_queue=True)
    project.go("a")
    assert worker.code() == 0
    tasks.wait_for_lock(is_owned_by(id_of(second)), "the second's, which the end of the first has not freed")
    project.work(1)
    assert project.events("done") == ["done a", "done b"]
    assert tasks.lock() is None


def test_a_message_that_is_put_back_by_a_rate_limiter_keeps_it_for_that_long(project: Project, tasks: Sender) -> None:
    edit(project, "messenger.yaml", "claim_interval: 200}", "claim_interval: 200}\n      rate_limiter: hourly")
    text = (project.directory / "messenger.yaml").read_text()
    limiters = "  rate_limiters: {hourly: {limit: 1, interval: 3600, key: do}}\n"
    project.write("messenger.yaml", text + limiters)
    project.send("first")
    second = tasks.send("a", ttl=100)
    worker = project.worker("async")
    project.wait_until(lambda: project.left() == (0, 0, 1), "it is put back")
    tasks.wait_for_lock(is_owned_by(id_of(second), above=1_000_000), "renewed")
    worker.kill()


def test_while_the_locks_are_away_messages_are_handled_and_the_locks_expire(project: Project) -> None:
    edit(project, "messenger.yaml", *SQL)
    edit(project, "messenger.yaml", "  transports:", f"  control: {project.server.url()}\n  transports:")
    with sender(project) as tasks:
        first = tasks.send("a", "wait", ttl=3)
        worker = project.worker("async")
        project.wait_for_event("start a")
        project.server.stop()
        project.go("a")
        project.wait_for_event("done a")
        worker.wait_for("lock_not_released key='report 7 of {Zoë}' message_id=" + id_of(first))
        assert "Traceback" not in worker.log
        project.server.start()
        tasks.wait_until_free()
        tasks.send("b")
        project.wait_for_event("done b")
        tasks.wait_until_free()
