"""What a middleware is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Set
from typing import ClassVar, Protocol

from messenger.envelope import AnyEnvelope
from messenger.stamps import Stamp


class Next(Protocol):
    """The steps after this one, down to the handlers."""

    def __call__(self, envelope: AnyEnvelope, /) -> AnyEnvelope: ...


class Middleware(Protocol):
    """One step of a bus. It calls `following` to go on, or returns an envelope to end the chain here.

    The chain runs when a message is dispatched and again when a worker has received it; a ReceivedStamp tells which.
    """

    def handle(self, envelope: AnyEnvelope, following: Next) -> AnyEnvelope:
        """Do this step and return the resulting envelope."""


class BuiltInMiddleware(ABC):
    """A step of this package. The bus leaves it out for messages that it has nothing to do for.

    Attributes:
        only_with: The step runs for messages that have all of these stamps.
        unless: The step does not run for messages that have one of these stamps.
        adds: The stamps that a message has after the step, where a step behind it asks for them.
    """

    only_with: ClassVar[Set[type[Stamp]]] = frozenset()
    unless: ClassVar[Set[type[Stamp]]] = frozenset()
    adds: ClassVar[Set[type[Stamp]]] = frozenset()

    @abstractmethod
    def handle(self, envelope: AnyEnvelope, following: Next) -> AnyEnvelope:
        """See Middleware."""
