"""What a task learns from a program of the kit on the controller, and from a task that failed."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.roles.render import evaluate
from tests.support.modules import load
from tests.support.paths import ROOT

action = load(ROOT / "plugins/action/controller_program.py")


def answer(code: int, stdout: str = "", stderr: str = "") -> dict[str, Any]:
    """What the task answers when the program ends so."""
    found: dict[str, Any] = action._answer(subprocess.CompletedProcess([], code, stdout, stderr))
    return found


def test_an_answer_is_that_of_the_program() -> None:
    assert answer(0, json.dumps({"path": "/x"})) == {"path": "/x"}


@pytest.mark.parametrize(
    ("ran", "problem"),
    [
        ((0, json.dumps({"problem": "no wheel"})), "no wheel"),
        ((1, "", "Traceback\nValueError: x\n"), "ValueError: x"),
        ((1, json.dumps({"path": "/x"}), "lost"), "lost"),
        ((0, "", ""), "no answer"),
        ((0, "warning", ""), "no answer"),
    ],
)
def test_a_problem_fails_the_task(ran: tuple[Any, ...], problem: str) -> None:
    found = answer(*ran)
    assert (found["failed"], found["problem"], found["msg"]) == (True, problem, f"{problem}.")


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ({"stderr": "a\nb\n", "stdout": "c", "msg": "d"}, "b"),
        ({"stderr": "", "stdout": "c\nd", "msg": "e"}, "d"),
        ({"msg": "e"}, "e"),
        ({}, "no reason given"),
        ({"msg": "All items completed", "results": [{"msg": "fine"}, {"failed": True, "msg": "broken"}]}, "broken"),
    ],
)
def test_why_a_task_failed(result: dict[str, Any], reason: str) -> None:
    assert evaluate("{{ result | messenger.kit.failure_reason }}", "messenger_app", result=result) == reason
