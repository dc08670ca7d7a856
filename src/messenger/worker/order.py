"""Which transport is served next: strict, weighted or round-robin."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Literal, Protocol

from messenger.worker.source import Source

log = logging.getLogger(__name__)
OrderName = Literal["strict", "weighted", "round-robin"]
_STARVED_SECONDS = 60.0


class Order(Protocol):
    """Decides in which order transports are asked."""

    def next(self) -> Sequence[Source]:
        """All of them, the one to be asked first in front."""
        ...

    def served(self, source: Source) -> None:
        """This one had a message."""
        ...


class Strict:
    """In the order given: a later transport is served only while all earlier ones are empty (Symfony's rule)."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        self._warn_at = time.monotonic() + _STARVED_SECONDS

    def next(self) -> Sequence[Source]:
        """See Order."""
        return self._sources

    def served(self, source: Source) -> None:
        """Says once a minute which later transports were not even asked for that long."""
        now = time.monotonic()
        if now < self._warn_at:
            return
        self._warn_at = now + _STARVED_SECONDS
        for other in self._sources:
            if now - other.asked_at > _STARVED_SECONDS and other.may_be_asked():
                log.warning(
                    "starved transport=%s seconds=%d: earlier transports are never empty; see consume --order",
                    other.name,
                    now - other.asked_at,
                )


class RoundRobin:
    """The transport after the one that was served last comes first."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = tuple(sources)

    def next(self) -> Sequence[Source]:
        """See Order."""
        return self._sources

    def served(self, source: Source) -> None:
        """See Order."""
        after = self._sources.index(source) + 1
        self._sources = self._sources[after:] + self._sources[:after]


class Weighted:
    """By weight: of 4 messages, a transport of weight 3 gives 3 and one of weight 1 gives 1, while both have some.

    The smooth weighted round-robin of nginx: each turn adds every weight, the one served pays the sum. What an empty
    transport saves up is capped, so that it does not shut out the others when it fills.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        self._total = sum(source.weight for source in sources)
        self._credit = {source.name: 0 for source in sources}

    def next(self) -> Sequence[Source]:
        """See Order."""
        return sorted(self._sources, key=lambda source: -(self._credit[source.name] + source.weight))

    def served(self, source: Source) -> None:
        """See Order."""
        for other in self._sources:
            self._credit[other.name] = min(self._credit[other.name] + other.weight, self._total)
        self._credit[source.name] -= self._total


def make_order(name: OrderName, sources: Sequence[Source]) -> Order:
    """The order of this name."""
    kinds: dict[OrderName, type[Strict] | type[RoundRobin] | type[Weighted]] = {
        "strict": Strict,
        "weighted": Weighted,
        "round-robin": RoundRobin,
    }
    return kinds[name](sources)
