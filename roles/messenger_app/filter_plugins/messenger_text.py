"""Filters that make text from hosts fit for the operator's terminal.

messenger_line: on one line. messenger_last_line: its last line. messenger_text: with its lines.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parents[1] / "module_utils/messenger_text.py"


class FilterModule:
    """What Ansible asks for filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """All of them, from the file that the role's modules use on hosts."""
        spec = spec_from_file_location("messenger_text", FILE)
        assert spec is not None
        assert spec.loader is not None
        text = module_from_spec(spec)
        spec.loader.exec_module(text)
        return {
            "messenger_line": text.printable,
            "messenger_last_line": text.last_line,
            "messenger_text": text.printable_block,
        }
