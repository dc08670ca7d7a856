"""What a handler may raise that is no Exception: it fails its message, and ends no worker."""

from __future__ import annotations

import pytest

from tests.integration.worker.project import TASKS, Project

RAISED = [
    "KeyboardInterrupt",
    "SystemExit('over')",
    "GeneratorExit",
    "OwnBase('mine')",
    "BaseExceptionGroup('several', [KeyboardInterrupt()])",
]
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


EXIT = "raise SystemExit(5)"
PLACES = """
from messenger.events import *


class Middleware:
    def handle(self, envelope, follow):
        if envelope.message.name == "a" and os.environ["PLACE"].startswith("middleware"):
            exec(os.environ["RAISED"])
        return follow(envelope)


class Strategy:
    def is_retryable(self, envelope, error):
        exec(os.environ["RAISED"])

    waiting_time = is_retryable


class Speechless(Exception):
    def __str__(self):
        exec(os.environ["RAISED"])


TIMES = []


def hook():
    TIMES.append(1)
    if len(TIMES) == 1:
        exec(os.environ["RAISED"])


def listen(event):
    if not hasattr(event, "envelope") or event.envelope.message.name == "a":
        exec(os.environ["RAISED"])


def setup(application):
    if os.environ["PLACE"] == "hook":
        application.on_reset(hook)
    if os.environ["PLACE"].startswith("Worker"):
        application.events.listen(globals()[os.environ["PLACE"]], listen)


@dataclass
class Guarded(Task):
    def __post_init__(self):
        if self.name == "a" and "consume" in sys.argv:
            exec(os.environ["RAISED"])


@handler
def on_guarded(task: Guarded):
    on_task(task)
"""


@pytest.fixture
def places(project: Project) -> Project:
    """Its steps raise RAISED at PLACE, for the message `a`."""
    tasks = TASKS.replace("    act(task)\n", "    act(task)\n    if task.do == 'mute':\n        raise Speechless\n")
    project.write("tasks.py", tasks + PLACES)
    text = (project.directory / "messenger.yaml").read_text()
    text = text.replace(
        "  handlers: [tasks]",
        "  handlers: [tasks]\n  setup: tasks.setup\n  buses: {default: {middleware: [tasks.Middleware]}}",
    )
    project.write("messenger.yaml", text)
    return project


BASES = [EXIT, "raise KeyboardInterrupt", "raise asyncio.CancelledError", "raise GeneratorExit"]


@pytest.mark.parametrize("raised", BASES)
@pytest.mark.parametrize("place", ["middleware", "str", "strategy", "hook", "reading"])
def test_at_each_step_it_fails_the_message_and_the_worker_goes_on(places: Project, place: str, raised: str) -> None:
    if place == "strategy":
        text = (places.directory / "messenger.yaml").read_text()
        service = "retry_strategy: {service: tasks.Strategy}"
        places.write("messenger.yaml", text.replace("retry_strategy: {max_retries: 1, delay: 10, jitter: 0}", service))
    do = {"str": "mute", "strategy": "fail"}.get(place, "")
    places.send("a", do, type_="tasks.Guarded" if place == "reading" else "App\\Message\\Task")
    places.send("b")
    worker = places.start("consume", "async", "--stop-when-empty", PLACE=place, RAISED=raised)
    assert worker.code() == 0, worker.log
    assert "done b" in places.events("done")
    said = {"hook": "a reset hook ", "reading": "its class ", "strategy": "retry_strategy_failed"}
    assert said.get(place, "a middleware " if place == "middleware" else "without a text") in worker.log
    kept = len(places.json("failed", "show", PLACE="", RAISED="")["messages"])
    delayed = places.left()[2]
    assert kept + delayed == (place != "hook"), "the message that met it is kept"


LISTENED = [
    "WorkerStarted",
    "WorkerMessageReceived",
    "WorkerMessageHandled",
    "WorkerMessageFailed",
    "WorkerRunning",
    "WorkerStopped",
]


@pytest.mark.parametrize("raised", ["raise ValueError('broken')", EXIT])
@pytest.mark.parametrize("event", LISTENED)
def test_a_listener_that_raises_is_named_and_the_worker_goes_on(places: Project, event: str, raised: str) -> None:
    places.send("a", "give-up" if event == "WorkerMessageFailed" else "")
    places.send("b")
    worker = places.start("consume", "async", "--stop-when-empty", PLACE=event, RAISED=raised)
    assert worker.code() == 0, worker.log
    assert "done b" in places.events("done")
    assert places.left() == (0, 0, 0)
    assert f"listener_failed listen of {event}: " in worker.log
    assert "worker_stopped" in worker.log


def test_in_setup_it_is_one_line(project: Project) -> None:
    project.write("tasks.py", f"{TASKS}\n\ndef setup(application):\n    raise KeyboardInterrupt\n")
    text = (project.directory / "messenger.yaml").read_text()
    project.write("messenger.yaml", text.replace("  handlers: [tasks]", "  handlers: [tasks]\n  setup: tasks.setup"))
    worker = project.start("consume", "async")
    assert worker.code() == 78
    assert "tasks.setup failed: KeyboardInterrupt" in worker.log
    assert "Traceback" not in worker.log


def test_what_ends_the_worker_all_the_same_is_told_and_its_message_is_free(project: Project) -> None:
    broken = "\n\ndef setup(application):\n    def end(*arguments):\n        raise SystemExit(5)\n"
    broken += "    from messenger.worker import processing\n"
    broken += "    if 'END' in os.environ:\n        processing.run_handlers = end\n"
    project.write("tasks.py", TASKS + broken)
    text = (project.directory / "messenger.yaml").read_text()
    project.write("messenger.yaml", text.replace("  handlers: [tasks]", "  handlers: [tasks]\n  setup: tasks.setup"))
    project.send("a")
    worker = project.start("consume", "async", END="1")
    assert worker.code() == 1
    assert "worker_crashed" in worker.log
    assert "SystemExit: 5" in worker.log
    assert project.registered() == []
    assert project.start("consume", "async", "--limit", "1").code() == 0  # its lease of 60 s is not waited for
    assert project.events() == ["start a", "done a"]
