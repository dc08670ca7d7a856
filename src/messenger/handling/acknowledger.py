"""What a batch handler settles its messages with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from messenger.envelope import Envelope
from messenger.errors import MessengerError

M = TypeVar("M")


class Acknowledger(Generic[M]):
    """Settles the messages of a batch one by one; a batch handler gets it by asking for it.

    What the handler has not settled when it returns counts as handled; when it raises, as failed with that error.
    """

    def __init__(self, envelopes: Sequence[Envelope[M]]) -> None:
        self._open = {id(envelope.message): envelope for envelope in envelopes}
        self._envelopes = dict(self._open)
        self._outcomes: dict[int, tuple[object, Exception | None]] = {}

    def ack(self, message: M, result: object = None) -> None:
        """This message is handled; what can be awaited is awaited when the handler has returned.

        Raises MessengerError when it is not of this batch, or settled already.
        """
        self._settle(message, result, None)

    def nack(self, message: M, error: Exception) -> None:
        """This message failed: the usual rules for retries decide. Raises MessengerError, see `ack`."""
        self._settle(message, None, error)

    def envelope(self, message: M) -> Envelope[M]:
        """The envelope of one of the messages. Raises MessengerError when it is not of this batch."""
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
        """What became of a message in a call that ended with `error`."""
        return self._outcomes.get(id(message), (None, error))
