"""Counts the calls and files of this package that one message runs through.

A call is every entry of a Python frame whose code lies in the package: functions and methods, `__init__` and
`__post_init__` written here, properties, lambdas, comprehensions (Python 3.12 and newer have no frame for them), and
each resumption of a generator. What the generated `__init__` of a dataclass and code in C do is not counted.

It imports nothing of this repository, so that it can be copied beside an application.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple


class Call(NamedTuple):
    """One call. depth: how many frames of any code lie below it."""

    file: str
    name: str
    depth: int


class PathCalls:
    """Records the calls into one package, in the thread that starts it."""

    def __init__(self, package: Path) -> None:
        """Create it.

        Args:
            package: The directory of the package.
        """
        self._root = f"{package}/"
        self.calls: list[Call] = []

    def start(self) -> None:
        """Begin to record."""
        sys.setprofile(self._on_event)

    def stop(self) -> None:
        """Record no more."""
        sys.setprofile(None)

    def _on_event(self, frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(self._root):
            name = frame.f_code.co_filename.removeprefix(self._root)
            self.calls.append(Call(name, frame.f_code.co_qualname, _depth(frame)))


def files(calls: Sequence[Call]) -> list[str]:
    """The files that the calls lie in, in the order in which they were entered first."""
    return list(dict.fromkeys(call.file for call in calls))


def listing(calls: Sequence[Call]) -> str:
    """The calls, one on a line, indented by their depth."""
    least = min((call.depth for call in calls), default=0)
    lines = (f"{index:4} {'  ' * (call.depth - least)}{call.name}  {call.file}" for index, call in enumerate(calls, 1))
    return "\n".join([*lines, f"{len(files(calls))} files, {len(calls)} calls"])


def _depth(frame: FrameType | None) -> int:
    depth = 0
    while frame is not None:
        depth, frame = depth + 1, frame.f_back
    return depth
