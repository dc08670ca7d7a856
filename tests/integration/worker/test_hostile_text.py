"""Text from outside, in the log of a worker and in what commands print: one line each that steers no terminal."""

from __future__ import annotations

import json
import re

import pytest

from messenger.control.plane import Control, WorkerInfo
from messenger.redis.dsn import parse_redis_dsn
from tests.integration.cli.failing import edit, ids
from tests.integration.worker.project import Output, Project

FORGED = "2026-01-01T00:00:00+0000 INFO message_handled forged=1"
EVIL = f"evil\r\n{FORGED}\x1b[31m\x9b2J\u2028{FORGED}\u202e"
RECORD = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} [A-Z]+ ")


def check(text: str) -> None:
    """No line is forged, and no character does anything but be shown."""
    lines = text.split("\n")
    assert not [line for line in text.splitlines() if line.startswith(FORGED)], text
    assert all(line.isprintable() for line in lines), text
    assert all(len(line) < 10_000 for line in lines if not line.startswith("body "))


def check_output(output: Output) -> None:
    check(output.stdout)
    check(output.stderr)


def test_types_buses_and_errors_in_the_log(project: Project) -> None:
    edit(project, "tasks.py", 'raise ValueError(f"boom {task.name}")', "raise ValueError(task.name * 1000)")
    headers = {"type": "App\\Message\\Task", "Content-Type": "application/json"}
    bus = {"X-Message-Stamp-Symfony\\Component\\Messenger\\Stamp\\BusNameStamp": json.dumps([{"busName": EVIL}])}
    body = json.dumps({"name": EVIL, "do": "fail"})
    values = [
        {"body": body, "headers": headers | bus},
        {"body": "{}", "headers": {"type": EVIL * 10_000}},
        {"body": "{}", "headers": headers | {"Content-Type": EVIL}},
        {"body": "{}", "headers": headers | bus | {"X-Messenger-Message-Id": EVIL}},
    ]
    with project.server.client() as client:
        for value in values:
            client.xadd("async", {"message": json.dumps(value)})
    worker = project.worker("async", "--limit", "5")
    assert worker.code() == 0
    check(worker.log)
    assert "message_failed" in worker.log
    assert "unknown_bus name=evil\\r\\n2026" in worker.log
    assert all(RECORD.match(line) or line.startswith("  ") for line in worker.log.splitlines())
    assert "\n  Traceback (most recent call last):" in worker.log
    check_output(project.run("failed", "show"))
    check_output(project.run("failed", "show", "-vv"))
    check_output(project.run("failed", "show", "--stats"))
    for each in ids(project):
        check_output(project.run("failed", "show", each))
        check_output(project.run("failed", "retry", "--now", each, code=None))


def test_the_registry_and_answers_in_what_commands_print(project: Project) -> None:
    control = Control(parse_redis_dsn("control", project.server.url()), "test")
    info = WorkerInfo(EVIL, EVIL, 1, EVIL, EVIL, EVIL, [EVIL], EVIL, EVIL, None, 0, 0, 0, EVIL, 1.0)
    control.report(info)
    check_output(project.run("workers"))
    check_output(project.run("workers", "--until-release", "r1", "--count", "1", "--timeout", "0", code=1))
    check_output(project.run("stop-workers", "--wait", "0.1", code=None))
    check_output(project.run("pause", "--host", EVIL, "--reason", EVIL, "--wait", "0.1", code=1))
    check_output(project.run("resume", "--pool", "other"))
    control.close()


def test_the_answer_to_dispatch(project: Project) -> None:
    edit(
        project, "tasks.py", 'raise UnrecoverableError(f"hopeless {task.name}")', "raise UnrecoverableError(task.name)"
    )
    project.worker()
    body = json.dumps({"name": EVIL * 1000, "do": "give-up"})
    check_output(project.run("dispatch", "Task", body, "--wait", "20", code=1))


@pytest.mark.parametrize("arguments", [("dispatch", EVIL, "{}"), (EVIL,), ("workers", f"--{EVIL}"), ("stats", EVIL)])
def test_arguments_of_a_command(project: Project, arguments: tuple[str, ...]) -> None:
    check_output(project.run(*arguments, code=None))
