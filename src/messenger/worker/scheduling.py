"""Scheduling policies: the order in which transports are served."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Literal, Protocol

from messenger.worker.receiver import Receiver

log = logging.getLogger(__name__)
OrderName = Literal["strict", "weighted", "round-robin"]
_STARVED_SECONDS = 60.0


class SchedulingPolicy(Protocol):
    """Determines the order in which transports are asked.

    Attributes:
        receivers: All receivers, in this order.
    """

    receivers: Sequence[Receiver]

    def record_served(self, receiver: Receiver) -> None:
        """Record that a transport had a message."""
        ...


class Strict:
    """The order given: a later transport is served only while all earlier ones are empty (Symfony's rule)."""

    def __init__(self, receivers: Sequence[Receiver]) -> None:
        self.receivers = receivers
        self._warn_at = time.monotonic() + _STARVED_SECONDS

    def record_served(self, receiver: Receiver) -> None:
        """Warn once a minute of later transports that were not even asked during it."""
        now = time.monotonic()
        if now < self._warn_at:
            return
        self._warn_at = now + _STARVED_SECONDS
        for other in self.receivers:
            if now - other.asked_at > _STARVED_SECONDS and other.may_be_asked():
                log.warning(
                    "starved transport=%s seconds=%d: earlier transports are never empty; see consume --order",
                    other.name,
                    now - other.asked_at,
                )


class RoundRobin:
    """Starts with the transport after the one that was served last."""

    def __init__(self, receivers: Sequence[Receiver]) -> None:
        self.receivers = receivers

    def record_served(self, receiver: Receiver) -> None:
        """See SchedulingPolicy."""
        after = self.receivers.index(receiver) + 1
        self.receivers = (*self.receivers[after:], *self.receivers[:after])


class Weighted:
    """By weight: of 4 messages, a transport of weight 3 gives 3 and one of weight 1 gives 1, while both have some.

    This is nginx's smooth weighted round-robin: each round adds every weight to the credits, and the transport that is
    served pays the sum. The credit of an empty transport is capped, so that it does not shut out the others when it
    fills.
    """

    def __init__(self, receivers: Sequence[Receiver]) -> None:
        self._receivers = receivers
        self._total = sum(receiver.weight for receiver in receivers)
        self._credit = {receiver.name: 0 for receiver in receivers}
        self.receivers = self._by_credit()

    def record_served(self, receiver: Receiver) -> None:
        """See SchedulingPolicy."""
        for other in self._receivers:
            self._credit[other.name] = min(self._credit[other.name] + other.weight, self._total)
        self._credit[receiver.name] -= self._total
        self.receivers = self._by_credit()

    def _by_credit(self) -> Sequence[Receiver]:
        return sorted(self._receivers, key=lambda receiver: -(self._credit[receiver.name] + receiver.weight))


def make_policy(name: OrderName, receivers: Sequence[Receiver]) -> SchedulingPolicy:
    """Return the policy of this name."""
    kinds: dict[OrderName, type[Strict] | type[RoundRobin] | type[Weighted]] = {
        "strict": Strict,
        "weighted": Weighted,
        "round-robin": RoundRobin,
    }
    return kinds[name](receivers)
