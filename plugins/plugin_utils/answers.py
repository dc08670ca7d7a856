"""Answers of the `messenger` command in the results of tasks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def command_answer(ran: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON object that a `messenger` command printed; empty when it printed none.

    Args:
        ran: The registered result of the task that ran it.
    """
    try:
        answer = json.loads(ran.get("stdout") or "")
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}
