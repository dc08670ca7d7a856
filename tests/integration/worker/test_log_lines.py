"""The application sets up logging as it likes: its own lines take that way, and the worker's come out, each once."""

from __future__ import annotations

import pytest

from tests.integration.worker.project import TASKS, Project

ROOT = "'handlers': {'h': {'class': 'logging.StreamHandler', 'formatter': 'f'}}, 'root': {'handlers': ['h']}"
FORMAT = "'version': 1, 'formatters': {'f': {'format': 'APP %(message)s'}}"
LOOP = "for name in list(logging.root.manager.loggerDict):\n    logging.getLogger(name)"
SET_UPS = {
    "basicConfig": "logging.basicConfig(level=10, format='APP %(message)s')",
    "dictConfig": f"logging.config.dictConfig({{{FORMAT}, {ROOT}}})",
    "replaced": "logging.basicConfig(format='APP %(message)s')\nlogging.root.handlers = logging.root.handlers[:1]",
    "all disabled": "logging.basicConfig(format='APP %(message)s')\nlogging.disable(logging.INFO)",
    "root raised": "logging.basicConfig(format='APP %(message)s', level=logging.ERROR)",
    "all raised": f"logging.basicConfig(format='APP %(message)s')\n{LOOP}.setLevel(logging.ERROR)",
}


def logging_by(project: Project, set_up: str, *, when: str = "import") -> None:
    """The handler logs a line of its own. when: at import, or with the first message."""
    tasks = TASKS.replace("def act(task):\n", "def act(task):\n    logging.getLogger('shop').error('mine')\n")
    if when == "message":
        indented = set_up.replace("\n", "\n    ")
        tasks = tasks.replace("def act(task):\n", f"def act(task):\n    {indented}\n")
        set_up = ""
    project.write("tasks.py", f"import logging, logging.config\n{set_up}\n{tasks}")


@pytest.mark.parametrize("when", ["import", "message"])
@pytest.mark.parametrize("name", SET_UPS)
def test_every_line_comes_out_once(project: Project, name: str, when: str) -> None:
    logging_by(project, SET_UPS[name], when=when)
    project.send("a")
    project.send("b", "give-up")
    worker = project.start("consume", "async", "--limit", "2")
    assert worker.code() == 0
    for line in ("worker_started", "message_handled", "message_failed", "worker_stopped"):
        assert worker.log.count(line) == 1, worker.log
    its_own = 1 if (name, when) == ("dictConfig", "message") else 2  # the second dictConfig disables its own logger
    assert worker.log.count("APP mine") == its_own, "the application's lines are as the application wants them"
    assert "APP worker" not in worker.log


def test_an_application_that_sets_up_nothing_finds_its_lines_beside_the_workers(project: Project) -> None:
    logging_by(project, "logging.getLogger('shop').info('loaded')")
    worker = project.start("consume", "async", "--stop-when-empty", "--verbose")
    assert worker.code() == 0
    assert "INFO loaded" in worker.log
    assert worker.log.count("worker_started") == 1


def test_handlers_for_the_logger_messenger_take_the_workers_lines(project: Project) -> None:
    ours = "'loggers': {'messenger': {'handlers': ['h']}}"
    logging_by(project, SET_UPS["dictConfig"].replace("'root'", f"{ours}, 'root'"))
    worker = project.start("consume", "async", "--stop-when-empty", "--verbose")
    assert worker.code() == 0
    assert worker.log.count("APP worker_started") == worker.log.count("worker_started") == 1
    quiet = project.start("consume", "async", "--stop-when-empty", "--quiet")
    assert quiet.code() == 0
    assert "worker_started" not in quiet.log


BROKEN = {
    "handler": "class H(logging.Handler):\n    def emit(self, record):\n        raise ValueError\n"
    "logging.getLogger('messenger').addHandler(H())",
    "handler that exits": "class H(logging.Handler):\n    def emit(self, record):\n        raise SystemExit\n"
    "logging.getLogger('messenger.worker').addHandler(H())",
    "filter": "logging.getLogger('messenger.worker.worker').addFilter(lambda record: 1 / 0)\n"
    "logging.getLogger('messenger.worker.processing').addFilter(lambda record: 1 / 0)",
    "record factory": "logging.setLogRecordFactory(lambda *args, **more: 1 / 0)",
    "record factory that gives none": "logging.setLogRecordFactory(lambda *args, **more: None)",
    "NullHandler": "logging.getLogger('messenger').addHandler(logging.NullHandler())",
}


@pytest.mark.parametrize("name", BROKEN)
def test_no_line_ends_the_worker_or_is_lost(project: Project, name: str) -> None:
    project.write("tasks.py", f"import logging\n{BROKEN[name]}\n{TASKS}")
    project.send("a")
    project.send("b", "give-up")
    worker = project.start("consume", "async", "--limit", "2")
    assert worker.code() == 0, worker.log
    for line in ("worker_started", "message_handled", "message_failed", "worker_stopped"):
        assert worker.log.count(line) == 1, worker.log
