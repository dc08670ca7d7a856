"""An envelope as text, and what stands in an envelope whose text could not be read."""

from __future__ import annotations

from dataclasses import dataclass, field

from messenger.printable import printable_line

_LONGEST_REASON = 500  # characters


@dataclass(frozen=True, slots=True)
class Encoded:
    """An envelope as text: what every transport stores."""

    body: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class UndecodableMessage:
    """Message of an envelope that could not be decoded: a pass-through of what was received.

    Attributes:
        body: The body as it was received.
        headers: The headers as they were received, without the stamps, which the envelope has.
        reason: Why it could not be decoded: one printable line for the operator, at most 500 characters.
    """

    body: str
    headers: dict[str, str] = field(default_factory=dict)
    reason: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", printable_line(self.reason, limit=_LONGEST_REASON))
