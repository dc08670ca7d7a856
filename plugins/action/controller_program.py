"""Ansible action: runs a program of the kit on the controller, and returns its answer."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from ansible.plugins.action import ActionBase

Answer = dict[str, Any]


class ActionModule(ActionBase):
    """Ask the program with one JSON document, and return the one that it prints."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> Answer:
        """Return the program's answer; a `problem` in it fails the task, with that as its message.

        The program changes nothing but caches on the controller, so it runs in check mode, too.
        """
        super().run(tmp, task_vars)
        arguments, given = self._task.args, task_vars or {}
        asked = dict(arguments.get("values", {}))
        for name, variable in arguments.get("variables", {}).items():
            asked[name] = self._templar.template(given[variable])
        ran = subprocess.run(
            [sys.executable, "-B", str(arguments["program"])],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            check=False,
        )
        return {"changed": False, **_answer(ran)}


def _answer(ran: subprocess.CompletedProcess[str]) -> Answer:
    """Return what a program printed; the last line of its errors where that is no answer."""
    if ran.returncode == 0 and ran.stdout.startswith("{"):
        answer: Answer = json.loads(ran.stdout)
    else:
        answer = {"problem": (ran.stderr.strip().splitlines() or ["no answer"])[-1].strip()}
    return answer if "problem" not in answer else {**answer, "failed": True, "msg": f"{answer['problem']}."}
