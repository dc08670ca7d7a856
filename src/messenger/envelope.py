"""Envelope: a message and its stamps, immutable (spec section 1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic, TypeVar, overload

from messenger.stamps import Stamp, TransportMessageIdStamp

M = TypeVar("M")
W = TypeVar("W")
S = TypeVar("S", bound=Stamp)


class Envelope(Generic[M]):
    """A message and what is known about it. Every change returns a new envelope.

    message: the object that was dispatched.
    stamps: oldest first; several of one class are allowed.
    """

    __slots__ = ("message", "stamps")

    message: M
    stamps: tuple[Stamp, ...]

    def __init__(self, message: M, stamps: Iterable[Stamp] = ()) -> None:
        object.__setattr__(self, "message", message)
        object.__setattr__(self, "stamps", tuple(stamps))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"an Envelope is immutable: use with_stamps() instead of setting {name!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("an Envelope is immutable: use without_all() instead")

    def __repr__(self) -> str:
        return f"Envelope({self.message!r}, stamps={list(self.stamps)!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Envelope):
            return NotImplemented
        return bool(self.message == other.message) and self.stamps == other.stamps

    __hash__ = None  # type: ignore[assignment]

    @overload
    @staticmethod
    def wrap(message: Envelope[W], stamps: Iterable[Stamp] = ()) -> Envelope[W]: ...

    @overload
    @staticmethod
    def wrap(message: W, stamps: Iterable[Stamp] = ()) -> Envelope[W]: ...

    @staticmethod
    def wrap(message: Any, stamps: Iterable[Stamp] = ()) -> Envelope[Any]:
        """An envelope around `message`; one that is an envelope already keeps its stamps and gets these too."""
        if isinstance(message, Envelope):
            return message.with_stamps(*stamps)
        return Envelope(message, stamps)

    @property
    def id(self) -> str | None:
        """The id its transport gave the message; None before it was sent or received."""
        stamp = self.last(TransportMessageIdStamp)
        return stamp.id if stamp is not None else None

    def with_stamps(self, *stamps: Stamp) -> Envelope[M]:
        """A copy with these stamps appended."""
        return Envelope(self.message, (*self.stamps, *stamps)) if stamps else self

    def without_all(self, stamp_type: type[Stamp]) -> Envelope[M]:
        """A copy without the stamps of exactly this class."""
        return Envelope(self.message, (s for s in self.stamps if type(s) is not stamp_type))

    def without_stamps_of_type(self, stamp_type: type[Stamp]) -> Envelope[M]:
        """A copy without the stamps of this class and its subclasses."""
        return Envelope(self.message, (s for s in self.stamps if not isinstance(s, stamp_type)))

    def last(self, stamp_type: type[S]) -> S | None:
        """The newest stamp of exactly this class, or None."""
        for stamp in reversed(self.stamps):
            if type(stamp) is stamp_type:
                return stamp
        return None

    def all(self, stamp_type: type[S]) -> list[S]:
        """The stamps of exactly this class, oldest first."""
        return [s for s in self.stamps if type(s) is stamp_type]


AnyEnvelope = Envelope[Any]
