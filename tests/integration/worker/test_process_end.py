"""A worker that has left is gone: what its handlers left running keeps its process for the stop deadline at most."""

from __future__ import annotations

import signal

import pytest

from tests.integration.worker.project import TASKS, Project

LEFT_RUNNING = {
    "thread": "threading.Thread(target=time.sleep, args=(600,), name='pool of a library').start()",
    "executor": "concurrent.futures.ThreadPoolExecutor(1).submit(time.sleep, 600)",
    "child": "multiprocessing.get_context('spawn').Process(target=time.sleep, args=(600,)).start()",
    "atexit": "atexit.register(time.sleep, 600)",
}
LEFT_IN_THE_LOOP = {
    "executor": "asyncio.get_running_loop().run_in_executor(None, time.sleep, 600)",
    "generator": "await anext(slow)",
}
SLOW = """

async def slow_generator():
    try:
        yield 1
    finally:
        await asyncio.sleep(600)


slow = slow_generator()
"""
IMPORTS = "import atexit, concurrent.futures, multiprocessing, threading\n"


def leaving_behind(project: Project, what: str) -> None:
    left = f"    if task.do == 'leave':\n        {LEFT_RUNNING[what]}\n"
    project.write("tasks.py", IMPORTS + TASKS.replace("def act(task):\n", f"def act(task):\n{left}"))


@pytest.mark.parametrize("what", LEFT_RUNNING)
def test_the_stop_deadline_holds_until_the_process_is_gone(project: Project, what: str) -> None:
    leaving_behind(project, what)
    worker = project.worker("async", "--stop-deadline", "1")
    project.send("a", "leave")
    project.wait_for_event("done a")
    worker.signal(signal.SIGTERM)
    assert worker.code() == 75
    assert "stop_deadline of 1 s is over: handing back nothing" in worker.log
    assert "worker_stopped reason='SIGTERM' handled=1" in worker.log
    named = {"thread": "still running: thread pool of a library", "child": "still running: process "}
    assert named.get(what, "") in worker.log
    assert project.left() == (0, 0, 0)


def test_a_worker_is_registered_until_its_process_is_gone(project: Project) -> None:
    wait = "    while 'WAIT' in os.environ and not (HERE / 'go-on').exists():\n        time.sleep(0.01)\n"
    project.write("tasks.py", f"import atexit\n{TASKS}\n\n@atexit.register\ndef wait():\n{wait}")
    worker = project.worker("async", WAIT="1")
    (registered,) = project.wait_for_workers(1, "idle")
    assert project.json("stop-workers", "--wait", "1", code=1)["remaining"] == [registered.id]
    worker.wait_for("worker_stopped")
    assert worker.process.poll() is None
    project.wait_for_workers(1, "stopping")
    (project.directory / "go-on").touch()
    assert worker.code() == 0
    assert project.registered() == []


@pytest.mark.parametrize("what", LEFT_IN_THE_LOOP)
def test_it_holds_while_the_event_loop_is_closed_too(project: Project, what: str) -> None:
    tasks = TASKS.replace("    await asyncio.sleep(0)\n", f"    {LEFT_IN_THE_LOOP[what]}\n")
    tasks = tasks.replace("def on_async_task(task: AsyncTask)", "def on_async_task(task: Task)")
    project.write("tasks.py", tasks + SLOW)
    worker = project.worker("async", "--stop-deadline", "1")
    project.send("a")
    project.wait_for_event("done a", times=2)
    worker.signal(signal.SIGTERM)
    assert worker.code() == 75
    assert "stop_deadline of 1 s is over: handing back nothing" in worker.log
    assert project.registered() == []
    assert project.left() == (0, 0, 0)
