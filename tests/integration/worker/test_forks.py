"""A process that a handler forks is no second worker: it ends where its handler ends."""

from __future__ import annotations

import signal

import pytest

from tests.integration.worker.project import TASKS, Project

# How the child leaves the handler -> its exit code.
LEAVES = {"return": 0, "sys.exit(7)": 7, "sys.exit('over')": 1, "raise ValueError('boom')": 1}
DONE = '    event("done", task.name)\n'
FORK = """
    child = os.fork()
    if child == 0:
        print("in the child")
        LEAVE
    event("code", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
MIDDLEWARE = """

def leaving(envelope):
    LEAVE
    return envelope


class Forks:
    def handle(self, envelope, following):
        child = os.fork()
        if child == 0:
            print("in the child")
            return leaving(envelope)
        event("code", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        return following(envelope)
"""


def forking(project: Project, kind: str, leave: str) -> None:
    assert DONE in TASKS
    tasks = TASKS.replace(DONE, FORK.replace("LEAVE", leave) + DONE, 1)
    if kind == "async":
        tasks = tasks.replace("@handler\ndef on_task", "@handler\nasync def on_task")
    elif kind == "timeout":
        tasks = tasks.replace("@handler\ndef on_task", "@handler(timeout=20)\ndef on_task")
    elif kind == "middleware":
        tasks = TASKS + MIDDLEWARE.replace("LEAVE", "pass" if leave == "return" else leave)
        text = (project.directory / "messenger.yaml").read_text()
        project.write("messenger.yaml", text + "  buses: {default: {middleware: [tasks.Forks]}}\n")
    project.write("tasks.py", tasks)


@pytest.mark.parametrize("kind", ["plain", "async", "timeout", "middleware"])
@pytest.mark.parametrize("leave", LEAVES)
def test_it_ends_with_the_handler_and_its_parent_alone_settles(project: Project, leave: str, kind: str) -> None:
    forking(project, kind, leave)
    for name in "ab":
        project.send(name)
    worker = project.worker("async", "--limit", "2", PYTHONUNBUFFERED="")
    assert worker.code() == 0
    assert project.events("start") == ["start a", "start b"]
    assert project.events("code") == [f"code {LEAVES[leave]}"] * 2
    assert worker.log.count("message_handled") == 2
    assert worker.log.count("worker_stopped") == 1
    assert worker.log.count("in the child\n") == 2
    assert ("child_failed" in worker.log) == (LEAVES[leave] == 1)
    assert project.left() == (0, 0, 0)


CHILD = "multiprocessing.get_context('fork').Process(target=time.sleep, args=(ARGS), daemon=True)"
FORKS = {
    "terminate": f"child = {CHILD.replace('ARGS', '5,')}; child.start(); child.terminate(); child.join(); "
    "event('code', child.exitcode)",
    "thread": f"child = {CHILD.replace('ARGS', '5,')}; in_thread(child.start); child.terminate(); child.join(); "
    "event('code', child.exitcode)",
    "usr1": f"child = {CHILD.replace('ARGS', '5,')}; child.start(); os.kill(child.pid, 10); child.join(); "
    "event('code', child.exitcode)",
    "own": "child = os.fork(); child or own_handler(); "
    "event('code', os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))",
}
CODES = {"terminate": -15, "thread": -15, "usr1": -10, "own": 9}
HELP = """
import multiprocessing, signal, threading

def in_thread(call):
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()

def own_handler():
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, "the worker's own"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(5)
"""


def doing(project: Project, line: str) -> None:
    project.write("tasks.py", TASKS.replace(DONE, f"    if task.name == 'a':\n        {line}\n{DONE}", 1) + HELP)


@pytest.mark.parametrize("what", FORKS)
def test_a_signal_to_it_does_what_it_does_without_a_worker(project: Project, what: str) -> None:
    doing(project, FORKS[what])
    project.send("a")
    project.send("b")
    worker = project.worker("async", "--limit", "2")
    assert worker.code() == 0
    assert project.events("code") == [f"code {CODES[what]}"]
    assert project.events("done") == ["done a", "done b"]
    assert "reason='limit of 2 messages' handled=2" in worker.log, "nothing that a child was told stops its parent"


def test_a_daemon_process_that_a_handler_leaves_ends_with_the_worker(project: Project) -> None:
    doing(project, f"{CHILD.replace('ARGS', '600,')}.start()")
    project.send("a")
    worker = project.worker()
    project.wait_for_event("done a")
    worker.signal(signal.SIGTERM)
    assert worker.code() == 0
