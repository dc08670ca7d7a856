"""Findings of checks: level, place, what was found, and what to change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `messenger check`. None of its texts has a secret in it.

    Attributes:
        level: "ok", "warn" or "fail".
        check: Id of the check, e.g. ``redis-eviction``; it stays the same between versions.
        where: What was checked.
        found: What was found.
        change: What to change; None for "ok".
    """

    level: Level
    check: str
    where: str
    found: str
    change: str | None = None

    def __str__(self) -> str:
        change = f" -> {self.change}" if self.change else ""
        return f"{self.level:<4}  {self.where}: {self.found}{change}"


@dataclass(frozen=True, slots=True)
class Place:
    """Makes the findings of one check about one thing."""

    check: str
    where: str

    def ok(self, found: str) -> Finding:
        """This is well."""
        return Finding("ok", self.check, self.where, found)

    def warn(self, found: str, change: str) -> Finding:
        """This works now, and will hurt."""
        return Finding("warn", self.check, self.where, found, change)

    def fail(self, found: str, change: str) -> Finding:
        """This does not work, or loses messages."""
        return Finding("fail", self.check, self.where, found, change)


Advice = Iterable[tuple[Sequence[str], str]]
"""Parts of a reason, in lower case, and what to change when one of them is in it."""


def advice_for(reason: str, known: Advice) -> str:
    """What to change; the first that fits."""
    lower = reason.lower()
    found = (text for parts, text in known if any(part in lower for part in parts))
    return next(found, "look at the server's log")
