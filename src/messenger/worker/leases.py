"""Keeping the messages in hand: as long as this worker lives, nobody else takes them over (R3, R4)."""

from __future__ import annotations

import time

from messenger.worker.status import Held, WorkerStatus


class Leases:
    """Renews the lease of every message in hand, of those in a batch too.

    at_most: seconds between two renewals; a transport may ask for fewer.
    """

    def __init__(self, status: WorkerStatus, at_most: float) -> None:
        self._status = status
        self._at_most = at_most
        self._renewed: dict[Held, float] = {}

    def renew(self) -> None:
        """Renew those it is time for. Raises TransportError."""
        held = self._status.held
        now = time.monotonic()
        self._renewed = {item: self._renewed.get(item, item.since) for item in held}
        for item in held:
            if now - self._renewed[item] >= min(item.transport.keepalive_interval, self._at_most):
                item.transport.keepalive(item.envelope)
                self._renewed[item] = now
