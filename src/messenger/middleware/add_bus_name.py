"""Records which bus dispatched a message, so that a worker uses the same one."""

from __future__ import annotations

from messenger.envelope import AnyEnvelope
from messenger.middleware.base import BuiltInMiddleware, Next
from messenger.stamps import BusNameStamp


class AddBusName(BuiltInMiddleware):
    """Adds a BusNameStamp to a message without one."""

    unless = adds = frozenset({BusNameStamp})

    def __init__(self, bus_name: str) -> None:
        self._stamp = BusNameStamp(bus_name)

    def handle(self, envelope: AnyEnvelope, following: Next) -> AnyEnvelope:
        """Stamp and go on."""
        return following(envelope.with_stamps(self._stamp))
