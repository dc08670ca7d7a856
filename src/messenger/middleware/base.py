"""What a middleware is."""

from __future__ import annotations

from typing import Protocol

from messenger.envelope import AnyEnvelope


class Next(Protocol):
    """The steps after this one, down to the handlers."""

    def __call__(self, envelope: AnyEnvelope, /) -> AnyEnvelope: ...


class Middleware(Protocol):
    """One step of a bus. It calls `following` to go on, or returns an envelope to end the chain here.

    The chain runs when a message is dispatched and again when a worker has received it; a ReceivedStamp tells which.
    """

    def handle(self, envelope: AnyEnvelope, following: Next) -> AnyEnvelope:
        """Do this step and return the resulting envelope."""
