"""Filters that say why a task failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.messenger.kit.plugins.module_utils.text import last_line


def failure_reason(result: Mapping[str, Any]) -> str:
    """Return the line that says why a task failed: the last one of its errors, its output or its message.

    Args:
        result: `ansible_failed_result`; of a loop, the first result that failed counts.
    """
    failed: Mapping[str, Any] = next((each for each in result.get("results", []) if each.get("failed")), result)
    said = failed.get("stderr") or failed.get("stdout") or failed.get("msg") or "no reason given"
    return last_line(said)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the functions by the names of the filters."""
        return {"failure_reason": failure_reason}
