"""Batch handlers: several messages in one call, each settled for itself."""

from __future__ import annotations

import signal

from tests.integration.worker.project import TASKS, YAML, Project

BATCH = TASKS.replace("from messenger import ", "from messenger import Acknowledger, Batch, ").replace(
    """@handler
def on_task(task: Task):
    event("start", task.name)
    act(task)
    event("done", task.name)
""",
    """@handler(batch=Batch(size=SIZE, max_wait=WAIT, max_idle=IDLE))
def on_tasks(tasks: list[Task], acknowledger: Acknowledger):
    event("batch", "+".join(task.name for task in tasks))
    for task in tasks:
        if task.do == "wait":
            act(task)
        elif task.do == "raise":
            raise ValueError("the whole batch")
        elif task.do:
            acknowledger.nack(task, RecoverableError("not this one", retry_delay=1))
            task.do = ""
        else:
            acknowledger.ack(task)
""",
)


def batched(project: Project, *, size: int = 3, wait: float = 60, idle: float = 60) -> Project:
    text = BATCH.replace("SIZE", str(size)).replace("WAIT", str(wait)).replace("IDLE", str(idle))
    project.write("tasks.py", text)
    return project


def test_a_full_batch_is_one_call(project: Project) -> None:
    batched(project)
    for name in "abc":
        project.send(name)
    worker = project.worker("async", "--limit", "3")
    assert worker.code() == 0
    assert project.events() == ["batch a+b+c"]
    assert worker.log.count("message_handled") == 3
    assert project.left() == (0, 0, 0)


def test_what_is_there_is_handled_when_no_more_comes(project: Project) -> None:
    batched(project, idle=0.2)
    worker = project.worker("async", "--sleep", "5")
    project.send("a")
    project.wait_for_event("batch a")
    worker.signal(signal.SIGTERM)
    assert worker.code() == 0
    assert project.left() == (0, 0, 0)


def test_messages_wait_no_longer_than_max_wait(project: Project) -> None:
    batched(project, size=1000, wait=0.5)
    project.worker("async")
    project.send("a")
    project.wait_for_event("batch a")
    project.wait_until(lambda: project.left() == (0, 0, 0), "nothing is left")


def is_blocked(project: Project) -> bool:
    """Whether a worker waits for messages: it has given all that were handed out to their handlers."""
    with project.server.client() as client:
        return any("b" in each["flags"] for each in client.client_list())


def test_a_stop_flushes_what_waits(project: Project) -> None:
    batched(project)
    worker = project.worker("async")
    project.send("a")
    project.send("b")
    project.wait_until(lambda: project.left()[1] == 2 and is_blocked(project), "both wait for their batch")
    assert project.events() == []
    worker.signal(signal.SIGTERM)
    assert worker.code() == 0
    assert project.events() == ["batch a+b"]
    assert project.left() == (0, 0, 0)


def test_one_refused_message_is_retried_alone(project: Project) -> None:
    batched(project, idle=0.3)
    for name, do in (("a", ""), ("b", "refuse"), ("c", "")):
        project.send(name, do)
    worker = project.worker("async", "--limit", "3")
    assert worker.code() == 0
    assert worker.log.count("message_handled") == 2
    assert worker.log.count("message_retried") == 1
    assert project.left()[2] + project.left()[0] == 1, "b waits for its retry"


def test_an_error_fails_all_that_were_not_settled(project: Project) -> None:
    batched(project)
    for name, do in (("a", ""), ("b", "raise"), ("c", "")):
        project.send(name, do)
    worker = project.worker("async", "--limit", "3")
    assert worker.code() == 0
    assert worker.log.count("message_handled") == 1
    assert worker.log.count("message_retried") == 2


def test_each_waiting_message_keeps_its_lease(project: Project) -> None:
    batched(project, size=2)
    project.write("messenger.yaml", YAML.replace("claim_interval: 200", "claim_interval: 200, redeliver_timeout: 1"))
    first = project.worker("async")
    project.send("a")
    project.wait_until(lambda: project.left()[1] == 1, "it is in flight")
    other = project.worker("high", "async")  # would take it over, were its lease not renewed
    with project.server.client() as client:
        idle: list[int] = []

        def renewed() -> bool:
            pending = client.xpending_range("async", "symfony", "-", "+", 10)
            idle.append(pending[0]["time_since_delivered"])
            return sum(later < earlier for earlier, later in zip(idle, idle[1:], strict=False)) >= 5

        project.wait_until(renewed, "renewed five times, that is longer than the lease lasts")
        pending = client.xpending_range("async", "symfony", "-", "+", 10)
    assert pending[0]["times_delivered"] == 1
    for worker in (first, other):
        worker.signal(signal.SIGTERM)
        assert worker.code() == 0
    assert project.events() == ["batch a"]


def test_a_killed_worker_leaves_every_message_of_its_batch_to_the_next(project: Project) -> None:
    batched(project, size=3)
    project.write("messenger.yaml", YAML.replace("claim_interval: 200", "claim_interval: 200, redeliver_timeout: 1"))
    killed = project.worker("async")
    project.send("a")
    project.send("b", "wait")
    project.send("c")
    project.wait_for_event("batch a+b+c")
    killed.kill()
    project.go("b")
    worker = project.worker("async", "--limit", "3")
    assert worker.code() == 0
    assert sorted("".join(e.split()[1] for e in project.events()).replace("+", "")) == list("aabbcc")
    assert project.left() == (0, 0, 0)
