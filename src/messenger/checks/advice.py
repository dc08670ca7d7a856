"""Which part of a DSN to look at, by what a server or the network said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Advice = Iterable[tuple[Sequence[str], str]]
"""Parts of a reason, in lower case, and what to change when one of them is in it."""


def advice_for(reason: str, known: Advice) -> str:
    """What to change; the first that fits."""
    lower = reason.lower()
    found = (text for parts, text in known if any(part in lower for part in parts))
    return next(found, "look at the server's log")
