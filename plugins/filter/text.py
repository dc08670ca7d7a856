"""Filters that make text from hosts safe to print on the operator's terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.messenger.kit.plugins.module_utils import text


class FilterModule:
    """The filters `line`, `last_line` and `text`."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the functions that the modules use on hosts, by the names of the filters."""
        return {"line": text.printable, "last_line": text.last_line, "text": text.printable_block}
