"""A pool of objects that one thread at a time may use, such as connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
_IDLE = 64  # as many are kept for later; more are closed when they are given back


class Pool(Generic[T]):
    """Lends each object to one thread at a time, and makes one when all others are lent. Safe for several threads.

    There is no lock, which a fork could copy in its locked state.
    """

    def __init__(self, make: Callable[[], T], close: Callable[[T], None]) -> None:
        """Create an empty pool.

        Args:
            make: makes an object.
            close: closes one that is not kept.
        """
        self._make = make
        self._close = close
        self._idle: list[T] = []

    def take(self) -> T:
        """Return the object that was used last, or a new one. `give_back` must follow."""
        try:
            return self._idle.pop()
        except IndexError:
            return self._make()

    def give_back(self, item: T) -> None:
        """Let others have it."""
        if len(self._idle) < _IDLE:
            self._idle.append(item)
        else:
            self._close(item)

    def close(self) -> None:
        """Close what is not lent; what is given back later can be lent again."""
        while self._idle:
            self._close(self._idle.pop())
