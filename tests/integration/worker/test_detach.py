"""A worker with --detach-log that is asked to leave finishes its message in the background (worker/detach.py)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.integration.worker.project import Project, Run

# What a handler has started inherits its stdout, and dies when nobody reads that any more.
CHILD = """
import subprocess
import sys

SCRIPT = "while [ ! -e go-{} ]; do echo working; sleep 0.02; done; echo finished >&2"


@handler
def with_a_child(task: AsyncTask):
    event("start", task.name)
    subprocess.run(["sh", "-c", SCRIPT.format(task.name)], cwd=HERE, check=True)
    print("its child has ended")
    event("done", task.name)
"""


class Detachable:
    """Workers that may be left behind; what is left in the end is ended."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self.file = project.directory / "made-by-the-worker" / "detached.log"
        self.pids: list[int] = []

    def start(self, *options: str) -> Run:
        """A worker; its pid is the last of `pids`."""
        run = self._project.worker("async", "--detach-log", str(self.file), *options)
        self.pids.append(worker_of(run))
        return run

    def busy(self, *options: str) -> Run:
        """A worker that has message `a` in hand."""
        self._project.send("a", "wait")
        run = self.start(*options)
        self._project.wait_for_event("start a")
        return run

    def wait_for_end(self) -> None:
        """Wait until no worker is left."""
        self._project.wait_until(lambda: not any(map(is_there, self.pids)), "the end of the worker")

    @property
    def log(self) -> str:
        """What was written in the background."""
        return self.file.read_text() if self.file.exists() else ""


@pytest.fixture
def detachable(project: Project) -> Iterator[Detachable]:
    made = Detachable(project)
    yield made
    for pid in filter(is_there, made.pids):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def worker_of(run: Run) -> int:
    """The process behind the one that was started."""
    (pid,) = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    return int(pid)


def is_there(pid: int) -> bool:
    """Whether it works; not one that has ended and waits to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def finished(project: Project, detachable: Detachable) -> None:
    """Let the worker finish message `a`, and look whether it did so once and properly."""
    project.go("a")
    detachable.wait_for_end()
    assert project.events() == ["start a", "done a"]
    assert project.left() == (0, 0, 0)
    assert project.registered() == []


def test_stop_workers_leaves_it_behind_with_its_message(project: Project, detachable: Detachable) -> None:
    run = detachable.busy()
    (before,) = project.wait_for_workers(1, "busy")
    assert (before.pid, before.front) == (detachable.pids[0], run.pid)
    answer = project.json("stop-workers", "--wait", "25")
    (row,) = answer.pop("workers")
    assert answer == {"asked": 1, "gone": 1, "remaining": [], "detached": [before.id]}
    assert (row["id"], row["outcome"], row["message"]["type"]) == (before.id, "detached", "App\\Message\\Task")
    assert run.code() == 0
    (worker,) = project.wait_for_workers(1, "detached")
    assert (worker.id, worker.pid, worker.message and worker.message.type) == (
        before.id,
        before.pid,
        "App\\Message\\Task",
    )
    assert worker.front == 0
    assert os.getsid(worker.pid) == worker.pid
    assert {os.readlink(f"/proc/{worker.pid}/fd/{number}") for number in (1, 2)} == {str(detachable.file)}
    what = f"App\\Message\\Task {worker.message and worker.message.id}"
    assert f"detached pid={worker.pid} release=-: finishes {what} in the background" in run.log
    assert run.log.rstrip().endswith(f"and writes to {detachable.file}")
    assert project.json("stop-workers", "--wait", "25")["asked"] == 0, "it has stopped already"
    os.kill(worker.pid, signal.SIGTERM)
    finished(project, detachable)
    lines = [line.split()[2] for line in detachable.log.splitlines()]
    assert lines == ["detached", "message_handled", "worker_stopped"]
    assert oct(detachable.file.stat().st_mode & 0o777) == "0o640"
    assert "message_handled" not in run.log


def test_it_is_said_in_words(project: Project, detachable: Detachable) -> None:
    detachable.busy()
    (worker,) = project.wait_for_workers(1, "busy")
    text = project.run("stop-workers", "--wait", "25").stdout
    assert worker.message is not None
    assert text == (
        f"1 workers asked to stop, 0 have left, 1 finishes App\\Message\\Task {worker.message.id} in the background\n"
    )
    assert " detached " in project.run("workers").stdout
    finished(project, detachable)


def test_sigusr2_leaves_it_behind(project: Project, detachable: Detachable) -> None:
    run = detachable.busy()
    run.signal(signal.SIGUSR2)
    assert run.code() == 0
    project.wait_for_workers(1, "detached")
    finished(project, detachable)
    assert "reason='SIGUSR2'" in detachable.log


def test_without_a_message_in_hand_it_leaves_as_always(project: Project, detachable: Detachable) -> None:
    run = detachable.start()
    answer = project.json("stop-workers", "--wait", "25")
    assert [row["outcome"] for row in answer["workers"]] == ["left"]
    assert (answer["gone"], answer["detached"]) == (1, [])
    assert run.code() == 0
    detachable.wait_for_end()
    assert not detachable.file.exists()
    assert "worker_stopped reason='stop-workers'" in run.log


def test_whoever_sends_sigterm_waits(project: Project, detachable: Detachable) -> None:
    run = detachable.busy()
    run.signal(signal.SIGTERM)
    (worker,) = project.wait_for_workers(1)
    answer = project.json("stop-workers", "--wait", "3", code=1)  # some beats
    assert (answer["remaining"], answer["detached"]) == ([worker.id], [])
    project.go("a")
    assert run.code() == 0
    assert "reason='SIGTERM'" in run.log
    finished(project, detachable)


def test_ctrl_c_lets_it_finish(project: Project, detachable: Detachable) -> None:
    run = detachable.busy()
    os.killpg(run.pid, signal.SIGINT)  # a terminal sends it to both processes
    project.go("a")
    assert run.code() == 0
    assert "reason='SIGINT'" in run.log
    finished(project, detachable)


def test_an_early_end_would_be_a_failed_start(project: Project, detachable: Detachable) -> None:
    run = detachable.busy("--min-uptime", "4")
    project.run("stop-workers")
    assert run.code() == 0
    (worker,) = project.wait_for_workers(1, "detached")
    assert worker.uptime_seconds >= 4
    finished(project, detachable)


def test_unless_supervisor_has_asked_for_it(project: Project, detachable: Detachable) -> None:
    run = detachable.busy("--min-uptime", "3600")
    run.signal(signal.SIGUSR2)
    run.signal(signal.SIGTERM)
    assert run.code() == 0
    project.wait_for_workers(1, "detached")
    finished(project, detachable)


def test_where_its_log_cannot_be_written_it_is_waited_for(project: Project, detachable: Detachable) -> None:
    detachable.file = project.directory / "there-is-no" / "directory" / "detached.log"
    run = detachable.busy()
    project.run("stop-workers", "--wait", "3", code=1)
    assert run.log.count("not_detached: [Errno 2] No such file or directory") == 1
    project.go("a")
    assert run.code() == 0
    finished(project, detachable)


def test_a_long_log_is_put_aside_first(project: Project, detachable: Detachable) -> None:
    detachable.file.parent.mkdir()
    with detachable.file.open("wb") as file:
        file.truncate(10 * 1024**2 + 1)
    run = detachable.busy()
    project.run("stop-workers")
    assert run.code() == 0
    finished(project, detachable)
    assert Path(f"{detachable.file}.1").stat().st_size > 10 * 1024**2
    assert detachable.log.startswith("2")


def test_it_survives_the_process_that_supervisor_knows(project: Project, detachable: Detachable) -> None:
    run = detachable.busy()
    run.kill()
    project.wait_for_workers(1, "detached")
    finished(project, detachable)
    assert f"reason='its process {run.pid}, which Supervisor watches, was killed'" in detachable.log


def test_and_leaves_when_it_has_nothing_to_do(project: Project, detachable: Detachable) -> None:
    detachable.start().kill()
    detachable.wait_for_end()
    assert project.registered() == []


def test_the_stop_deadline_holds_in_the_background_too(project: Project, detachable: Detachable) -> None:
    run = detachable.busy("--stop-deadline", "3")
    project.run("stop-workers")
    assert run.code() == 0
    project.wait_for_workers(1, "detached")
    detachable.wait_for_end()
    assert "stop_deadline of 3 s is over: handing back App\\Message\\Task" in detachable.log
    assert project.registered() == []
    project.go("a")
    assert project.worker("async", "--limit", "1").code() == 0
    assert project.events() == ["start a", "start a", "done a"]


def test_what_a_handler_has_started_goes_on_too(project: Project, detachable: Detachable) -> None:
    tasks = (project.directory / "tasks.py").read_text()
    project.write("tasks.py", tasks.replace("@handler\nasync def on_async_task", "async def unused") + CHILD)
    run = detachable.start()
    project.send("c", type_="tasks.AsyncTask")
    run.wait_for("working")
    project.run("stop-workers")
    assert run.code() == 0
    project.wait_until(lambda: "working" in detachable.log, "what it writes goes to the other log")
    project.go("c")
    detachable.wait_for_end()
    assert project.events() == ["start c", "done c"]
    assert "finished\n" in detachable.log
    assert "its child has ended\n" in detachable.log
    assert "working" in run.log


def test_a_registry_that_is_away_does_not_hold_it_up(project: Project, detachable: Detachable) -> None:
    run = detachable.busy()
    project.server.stop()
    run.signal(signal.SIGUSR2)
    assert run.code() == 0
    project.server.start()
    project.wait_for_workers(1, "detached")
    finished(project, detachable)


def test_the_exit_code_is_that_of_the_worker(project: Project, detachable: Detachable) -> None:
    assert project.start("consume", "none", "--detach-log", "x").code() == 64
    project.write("broken.yaml", "messenger: {handlers: [no_such_module]}")
    run = project.start("--config", "broken.yaml", "consume", "async", "--detach-log", "x")
    assert run.code() == 78
    assert "no_such_module" in run.log
    for number in (signal.SIGKILL, signal.SIGSEGV):
        run = detachable.start()
        os.kill(detachable.pids[-1], number)
        assert run.code() == -number


def test_a_fork_spoils_nothing(project: Project, detachable: Detachable) -> None:
    run = detachable.start()
    assert [task.name for task in Path(f"/proc/{run.pid}/task").iterdir()] == [str(run.pid)], "no thread before it"
    open_there = {os.readlink(fd) for fd in Path(f"/proc/{run.pid}/fd").iterdir()}
    assert not any(name.startswith("socket:") for name in open_there), "no connection either"


def test_the_first_process_of_a_container_is_not_left_behind(project: Project) -> None:
    """When it ends, all others do."""
    arguments = ("consume", "async", "--stop-when-empty", "--detach-log", "detached.log")
    command = ["unshare", "--pid", "--fork", "--kill-child", sys.executable, "-m", "messenger.cli", *arguments]
    done = subprocess.run(
        command, cwd=project.directory, env=project.environment, capture_output=True, text=True, check=True
    )
    assert "--detach-log is left out" in done.stderr
    assert "worker_started" in done.stderr
