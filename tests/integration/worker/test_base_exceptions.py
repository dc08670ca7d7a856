"""What a handler may raise that is no Exception: it fails its message, and ends no worker."""

from __future__ import annotations

import pytest

from tests.integration.worker.project import TASKS, Project

RAISED = ["KeyboardInterrupt", "SystemExit('over')", "GeneratorExit", "OwnBase('mine')",
          "BaseExceptionGroup('several', [KeyboardInterrupt()])"]  # fmt: skip
OWN = "class OwnBase(BaseException):\n    pass\n"


@pytest.mark.parametrize("kind", ["plain", "async"])
@pytest.mark.parametrize("raised", RAISED)
def test_its_message_fails_and_the_worker_goes_on(project: Project, raised: str, kind: str) -> None:
    tasks = TASKS.replace("    act(task)\n", f"    act(task)\n    if task.name == 'a':\n        raise {raised}\n")
    if kind == "async":
        tasks = tasks.replace("@handler\ndef on_task", "@handler\nasync def on_task")
    project.write("tasks.py", f"{OWN}{tasks}")
    project.send("a")
    project.send("b")
    worker = project.start("consume", "async", "--limit", "3")  # the failed one twice
    assert worker.code() == 0
    assert project.events().count("start a") == 2
    assert project.events("done") == ["done b"]
    name = raised.split("(")[0]
    assert worker.log.count("message_retried") == worker.log.count("message_failed") == 1
    assert name in worker.log.split("message_retried")[1].splitlines()[0] or name == "SystemExit"
    assert len(project.json("failed", "show")["messages"]) == 1


def test_one_that_comes_from_elsewhere_ends_the_worker_with_a_word_and_its_message_is_free(project: Project) -> None:
    listener = "from messenger.events import WorkerMessageReceived\ndef listen(application):\n"
    listener += "    def end(_):\n        raise SystemExit(5)\n"
    listener += "    if 'END' in os.environ:\n        application.events.listen(WorkerMessageReceived, end)\n"
    project.write("tasks.py", f"{TASKS}\n\n{listener}")
    text = (project.directory / "messenger.yaml").read_text()
    project.write("messenger.yaml", text.replace("  handlers: [tasks]", "  handlers: [tasks]\n  setup: tasks.listen"))
    project.send("a")
    worker = project.start("consume", "async", END="1")
    assert worker.code() == 1
    assert "worker_crashed" in worker.log
    assert "SystemExit: 5" in worker.log
    assert project.registered() == []
    assert project.start("consume", "async", "--limit", "1").code() == 0  # its lease of 60 s is not waited for
    assert project.events() == ["start a", "done a"]
