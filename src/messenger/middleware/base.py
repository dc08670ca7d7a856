"""The interface of middleware."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Set
from typing import ClassVar, Protocol

from messenger.envelope import AnyEnvelope
from messenger.stamps import Stamp


class Next(Protocol):
    """The rest of the chain after a middleware, down to the handlers."""

    def __call__(self, envelope: AnyEnvelope, /) -> AnyEnvelope:
        """Run the rest of the chain."""
        ...


class Middleware(Protocol):
    """One step of a bus.

    The chain runs when a message is dispatched, and again when a worker has received it; then the message has a
    ReceivedStamp.
    """

    def handle(self, envelope: AnyEnvelope, following: Next) -> AnyEnvelope:
        """Do this step.

        Args:
            envelope: The message.
            following: Runs the rest of the chain. Not calling it ends the chain here.

        Returns:
            The envelope that `following` returned, or another one.
        """


class BuiltInMiddleware(ABC):
    """A step of this package. The bus skips it for messages that do not need it.

    Attributes:
        only_with: The step runs for messages that have all of these stamps.
        unless: The step does not run for messages that have one of these stamps.
        adds: The stamps that a message has after the step, where a later step asks for them.
    """

    only_with: ClassVar[Set[type[Stamp]]] = frozenset()
    unless: ClassVar[Set[type[Stamp]]] = frozenset()
    adds: ClassVar[Set[type[Stamp]]] = frozenset()

    @abstractmethod
    def handle(self, envelope: AnyEnvelope, following: Next) -> AnyEnvelope:
        """See Middleware."""
