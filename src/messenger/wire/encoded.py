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
    """Stands in an envelope for what could not be read. Nothing of it is lost: it is sent on as it came.

    body, headers: as received (without the stamps, which the envelope has).
    reason: why it could not be read, a sentence for the operator: one printable line, at most 500 characters, whatever
    was received.
    """

    body: str
    headers: dict[str, str] = field(default_factory=dict)
    reason: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", printable_line(self.reason, limit=_LONGEST_REASON))
