"""The acknowledger, with which a batch handler settles its messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from messenger.envelope import Envelope
from messenger.errors import MessengerError

M = TypeVar("M")


class Acknowledger(Generic[M]):
    """Settles the messages of a batch one by one. A batch handler gets it as a parameter with this annotation.

    A message that is not settled counts as handled when the handler returns, and as failed when it raises.
    """

    def __init__(self, envelopes: Sequence[Envelope[M]]) -> None:
        """Create an acknowledger.

        Args:
            envelopes: The messages of the batch.
        """
        self._open = {id(envelope.message): envelope for envelope in envelopes}
        self._envelopes = dict(self._open)
        self._outcomes: dict[int, tuple[object, Exception | None]] = {}

    def ack(self, message: M, result: object = None) -> None:
        """Mark a message as handled.

        Args:
            message: The object that the handler got.
            result: The result for this message. An awaitable is awaited after the handler has returned.

        Raises:
            MessengerError: The message is not of this batch, or is settled already.
        """
        self._settle(message, result, None)

    def nack(self, message: M, error: Exception) -> None:
        """Mark a message as failed; it is retried by the usual rules.

        Args:
            message: The object that the handler got.
            error: What went wrong.

        Raises:
            MessengerError: The message is not of this batch, or is settled already.
        """
        self._settle(message, None, error)

    def envelope(self, message: M) -> Envelope[M]:
        """Return the envelope of one of the messages.

        Args:
            message: The object that the handler got.

        Raises:
            MessengerError: The message is not of this batch.
        """
        found = self._envelopes.get(id(message))
        if found is None:
            raise MessengerError(f"{message!r} is not of this batch: pass one of the objects the handler was given")
        return found

    def _settle(self, message: M, result: object, error: Exception | None) -> None:
        self.envelope(message)
        if self._open.pop(id(message), None) is None:
            raise MessengerError(f"{message!r} was acknowledged or refused before: each message once")
        self._outcomes[id(message)] = (result, error)

    def outcome(self, message: M, error: Exception | None) -> tuple[object, Exception | None]:
        """Return the result and the error of a message.

        Args:
            message: The message.
            error: What the handler raised, or None; it counts for messages that were not settled.
        """
        return self._outcomes.get(id(message), (None, error))
