"""Envelope: a message and its stamps, immutable."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from msgspec import Struct
from msgspec.structs import force_setattr

from messenger.stamps import Stamp, TransportMessageIdStamp

M = TypeVar("M")
S = TypeVar("S", bound=Stamp)


class Envelope(Struct, Generic[M], frozen=True):
    """A message and its stamps. Immutable: every change returns a new envelope.

    Attributes:
        message: The object that was dispatched.
        stamps: Oldest first; several of one class are allowed.
    """

    message: M
    stamps: tuple[Stamp, ...] = ()

    if TYPE_CHECKING:  # it takes any iterable of stamps

        def __init__(self, message: M, stamps: Iterable[Stamp] = ()) -> None: ...

    def __post_init__(self) -> None:
        if not isinstance(self.stamps, tuple):
            force_setattr(self, "stamps", tuple(self.stamps))

    @staticmethod
    def wrap(message: Any, stamps: Iterable[Stamp] = ()) -> AnyEnvelope:
        """Return an envelope around a message; an envelope is returned with the stamps appended.

        Args:
            message: The message, or an envelope.
            stamps: The stamps to append.
        """
        if isinstance(message, Envelope):
            return message.with_stamps(*stamps)
        return Envelope(message, stamps)

    @property
    def id(self) -> str | None:
        """The id that the transport gave the message; None before it is sent or received."""
        for stamp in reversed(self.stamps):
            if type(stamp) is TransportMessageIdStamp:
                return stamp.id
        return None

    def with_stamps(self, *stamps: Stamp) -> Envelope[M]:
        """Return a copy with these stamps appended."""
        return Envelope(self.message, (*self.stamps, *stamps)) if stamps else self

    def without_all(self, stamp_type: type[Stamp]) -> Envelope[M]:
        """Return a copy without the stamps of exactly this class."""
        return Envelope(self.message, (s for s in self.stamps if type(s) is not stamp_type))

    def without_stamps_of_type(self, stamp_type: type[Stamp]) -> Envelope[M]:
        """Return a copy without the stamps of this class and its subclasses."""
        return Envelope(self.message, (s for s in self.stamps if not isinstance(s, stamp_type)))

    def last(self, stamp_type: type[S]) -> S | None:
        """Return the newest stamp of exactly this class, or None."""
        for stamp in reversed(self.stamps):
            if type(stamp) is stamp_type:
                return stamp
        return None

    def all(self, stamp_type: type[S]) -> list[S]:
        """Return the stamps of exactly this class, oldest first."""
        return [s for s in self.stamps if type(s) is stamp_type]


AnyEnvelope = Envelope[Any]
