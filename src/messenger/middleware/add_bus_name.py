"""Notes which bus dispatched a message, so that a worker uses the same one."""

from __future__ import annotations

from messenger.envelope import AnyEnvelope
from messenger.middleware.base import Next
from messenger.stamps import BusNameStamp


class AddBusName:
    """Adds a BusNameStamp when there is none yet."""

    def __init__(self, bus_name: str) -> None:
        self._stamp = BusNameStamp(bus_name)

    def handle(self, envelope: AnyEnvelope, following: Next) -> AnyEnvelope:
        """Stamp and go on."""
        if envelope.last(BusNameStamp) is None:
            envelope = envelope.with_stamps(self._stamp)
        return following(envelope)
