"""How a deploy that fails ends: README's words are the words that come, and the reason is among them."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.roles.render import evaluate, trusted
from tests.support.modules import ROLES
from tests.support.paths import ROOT

ENDS = {
    "messenger_worker/tasks/check.yml": "Fail with the reasons",
    "messenger_worker/tasks/rollback.yml": "Fail with what happened and what to do",
    "messenger_app/tasks/build.yml": "Fail, and say that nothing was switched",
}


def tasks(value: Any) -> list[dict[str, Any]]:
    """All tasks of a task file, also those in blocks."""
    found = []
    for task in value:
        found += [task, *(each for part in ("block", "rescue", "always") for each in tasks(task.get(part, [])))]
    return found


def end(file: str, **given: Any) -> str:
    """What the last task of a failed deploy says."""
    (task,) = [each for each in tasks(yaml.safe_load((ROLES / file).read_text())) if each["name"] == ENDS[file]]
    variables: dict[str, Any] = {
        "messenger_app_release": "20260101T000000Z-new",
        "messenger_app_root": "/srv/sms",
        "__messenger_worker_wrong": [],
        "__messenger_worker_failure": {"task": "the gate", "reason": "no reason"},
        "__messenger_worker_ended": "Went back.",
        "__messenger_worker_logs": {},
        "ansible_failed_task": {"name": "Put it together"},
        "ansible_failed_result": {"msg": "no reason"},
        **trusted(task.get("vars", {})),
        **given,
    }
    return str(evaluate(task["ansible.builtin.fail"]["msg"], file.split("/")[0], **variables))


def test_readme_s_words_are_the_words_that_come() -> None:
    words = re.findall(r"^\| a deploy ends with \"(.*?)\" \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(words) == len(ENDS)
    said = [end(file) for file in ENDS]
    for word in words:
        assert len([text for text in said if word in text]) == 1, word


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (
            {"rc": 78, "stderr": "Warning: x\nmessenger: cannot import 'sms.handlers': no module (handlers.py:20)\n"},
            "messenger: cannot import 'sms.handlers': no module (handlers.py:20)",
        ),
        ({"rc": 3, "stderr": "", "stdout": ""}, "no answer, exit code 3"),
        ({"msg": "there is no user sms"}, "there is no user sms"),
    ],
)
def test_a_refusal_has_the_reason_itself(answer: dict[str, Any], reason: str) -> None:
    silent = evaluate(
        "{{ __messenger_worker_check_findings }}",
        "messenger_worker",
        messenger_app_root="/srv/sms",
        __messenger_worker_check=answer,
    )
    said = end("messenger_worker/tasks/check.yml", __messenger_worker_wrong=silent)
    assert f"messenger check: {reason} -> correct it in the application, and deploy again" in said
    assert "debug" not in said, "it would show the live release, not the refused one"
