"""What handlers share is made whole between messages, and its absence uses up no attempts."""

from __future__ import annotations

import signal

from tests.integration.worker.project import TASKS, YAML, Project

AWAY = TASKS.replace(
    "def act(task):\n",
    """class Away(Exception):
    pass


def act(task):
    if task.do == "need" and not (HERE / "there").exists():
        raise Away("the warehouse does not answer")
""",
)
SETUP = """
from pathlib import Path
import os

HERE = Path(os.environ["TEST_DIRECTORY"])


def reset():
    with open(HERE / "events", "a") as file:
        file.write("reset - 0\\n")
    if (HERE / "broken").exists():
        raise OSError("the pool is empty")


def setup(application):
    application.on_reset(reset)
"""


def test_a_message_waits_without_using_up_its_tries_until_what_it_needs_is_back(project: Project) -> None:
    project.write("tasks.py", AWAY)
    project.write("messenger.yaml", YAML + "  infrastructure_errors: [tasks.Away]\n")
    project.send("a", "need")
    worker = project.worker("async")
    worker.wait_for("message_put_back", times=3)  # its transport allows one retry
    assert "message_retried" not in worker.log
    (project.directory / "there").touch()
    project.wait_for_event("done a")
    worker.signal(signal.SIGTERM)
    assert worker.code() == 0
    assert project.json("failed", "show")["messages"] == []
    assert "handled=1 failed=0" in worker.log


def test_the_worker_says_what_it_waits_for(project: Project) -> None:
    project.write("tasks.py", AWAY)
    project.write("messenger.yaml", YAML + "  infrastructure_errors: [tasks.Away]\n")
    project.send("a", "need")
    worker = project.worker("async")
    worker.wait_for("waiting_for tasks.on_task failed: Away: the warehouse does not answer")
    project.wait_until(lambda: project.registered()[0].state == "waiting", "the registry shows it")


def test_reset_hooks_run_after_each_message_and_at_the_end(project: Project) -> None:
    project.write("wiring.py", SETUP)
    project.write("messenger.yaml", YAML + "  setup: wiring.setup\n")
    project.send("a")
    project.send("b")
    assert project.worker("async", "--limit", "2").code() == 0
    assert project.events() == ["start a", "done a", "reset -", "start b", "done b", "reset -", "reset -"]


def test_no_reset(project: Project) -> None:
    project.write("wiring.py", SETUP)
    project.write("messenger.yaml", YAML + "  setup: wiring.setup\n")
    project.send("a")
    assert project.worker("async", "--limit", "1", "--no-reset").code() == 0
    assert project.events() == ["start a", "done a"]


def test_reset_hooks_after_so_many_messages(project: Project) -> None:
    project.write("wiring.py", SETUP)
    project.write("messenger.yaml", YAML + "  setup: wiring.setup\n")
    for name in "abcd":
        project.send(name)
    assert project.worker("async", "--limit", "4", "--no-reset=3").code() == 0
    events = [event for event in project.events() if event.startswith(("done", "reset"))]
    assert events == ["done a", "done b", "done c", "reset -", "done d"]


def test_while_a_hook_fails_no_message_is_taken(project: Project) -> None:
    project.write("wiring.py", SETUP)
    project.write("messenger.yaml", YAML + "  setup: wiring.setup\n")
    (project.directory / "broken").touch()
    worker = project.worker("async")
    project.send("a")
    project.send("b")
    worker.wait_for("waiting_for the pool is empty", times=2)
    assert project.events("start") == ["start a"]
    (project.directory / "broken").unlink()
    project.wait_for_event("done b")
    worker.signal(signal.SIGTERM)
    assert worker.code() == 0


def test_a_custom_retry_strategy_decides(project: Project) -> None:
    project.write(
        "retries.py",
        "class Once:\n"
        "    def is_retryable(self, envelope, error):\n"
        "        return 'boom' not in str(error)\n"
        "    def waiting_time(self, envelope, error):\n"
        "        return 1\n",
    )
    text = YAML.replace(
        "retry_strategy: {max_retries: 1, delay: 10, jitter: 0}", "retry_strategy: {service: retries.Once}"
    )
    project.write("messenger.yaml", text)
    project.send("a", "fail")
    worker = project.worker("async", "--limit", "1")
    assert worker.code() == 0
    assert "message_retried" not in worker.log
    assert "kept_in=failed" in worker.log
