"""C code that keeps the interpreter to itself for longer than the lease: the message is handled once all the same."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.integration.worker.project import LONG, TASKS, Project
from tests.support.servers import wait_until

HOLD = "    if task.do == 'hold':\n        ctypes.PyDLL(None).sleep(5)\n"  # without giving up the GIL
DSNS = {"redis": "redis://127.0.0.1:{port}/async", "sql": "doctrine://default?queue_name=async"}


@pytest.fixture(params=DSNS)
def held(request: pytest.FixtureRequest, project: Project) -> Project:
    project.write("tasks.py", f"import ctypes\n{TASKS}".replace("def act(task):\n", f"def act(task):\n{HOLD}"))
    text = (project.directory / "messenger.yaml").read_text()
    dsn = DSNS[request.param].format(port=project.server.port)
    text = text.replace(
        "      options: {stream: async, claim_interval: 200}\n", "      options: {redeliver_timeout: 2}\n"
    )
    if request.param == "redis":
        text = text.replace("{redeliver_timeout: 2}", "{redeliver_timeout: 2, claim_interval: 200}")
    project.write("messenger.yaml", text.replace("'%env(MESSENGER_TRANSPORT_DSN)%'", f"'{dsn}'", 1))
    return project


def test_no_other_worker_takes_it_over(held: Project) -> None:
    workers = [held.worker("async") for _ in range(2)]
    held.run("dispatch", "App\\Message\\Task", '{"name": "a", "do": "hold"}')
    held.wait_for_event("done a")
    for worker in workers:
        worker.signal(signal.SIGTERM)
        assert worker.code() == 0
    assert held.events() == ["start a", "done a"]
    said = [worker.log for worker in workers if "leases_kept" in worker.log]
    assert len(said) == 1
    assert "message_taken_over" not in "".join(worker.log for worker in workers)


def test_it_stays_registered(project: Project) -> None:
    hold = HOLD.replace("sleep(5)", "sleep(18)")  # longer than the registry remembers a worker without a heartbeat
    project.write("tasks.py", f"import ctypes\n{TASKS}".replace("def act(task):\n", f"def act(task):\n{hold}"))
    worker = project.worker("async")
    project.run("dispatch", "App\\Message\\Task", '{"name": "a", "do": "hold"}')
    project.wait_for_event("start a")
    stopped = project.json("stop-workers", "--wait", "60")
    assert stopped["gone"] == 1
    assert project.events() == ["start a", "done a"], "stop-workers said that a worker left which is still there"
    assert worker.code() == 0


def test_it_is_taken_over_from_a_worker_that_was_killed(held: Project) -> None:
    first = held.worker("async")
    held.run("dispatch", "App\\Message\\Task", '{"name": "a", "do": "hold"}')
    held.wait_for_event("start a")
    first.wait_for("leases_kept")
    (keeper,) = [int(pid) for pid in Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split()]
    first.kill()
    assert held.worker("async", "--limit", "1").code() == 0
    assert held.events() == ["start a", "start a", "done a"]
    wait_until(lambda: not runs(keeper), LONG, "the process beside it ends")


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
