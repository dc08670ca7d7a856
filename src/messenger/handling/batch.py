"""Batch handlers: several messages in one call, each with its own lease, acknowledgement and retry."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from messenger.envelope import AnyEnvelope
from messenger.errors import HandlerFailed
from messenger.handling.acknowledger import Acknowledger
from messenger.handling.arguments import HandlerArguments
from messenger.handling.call import HandlerCaller
from messenger.handling.registry import Handler
from messenger.stamps import HandledStamp, LocalStamp

Done = Callable[[object, Exception | None], None]


@dataclass(slots=True)
class _Buffer:
    """The messages that wait for one batch handler.

    Attributes:
        handler: The handler.
        items: The messages, each with the function to call when it is done.
        first: Monotonic seconds when the first message came.
        last: Monotonic seconds when the last message came.
    """

    handler: Handler
    items: list[tuple[AnyEnvelope, Done]] = field(default_factory=list)
    first: float = 0.0
    last: float = 0.0

    def due_at(self) -> float:
        """Return the monotonic seconds at which the handler is to be called; 0 for a full batch."""
        batch = self.handler.options.batch
        if batch is None or len(self.items) >= batch.size:
            return 0.0
        return min(self.first + batch.max_wait, self.last + batch.max_idle)


class Batches:
    """The messages that wait for batch handlers in this process. They stay in flight on their transports.

    Attributes:
        buffers: The messages by the name of their handler.
    """

    def __init__(self, caller: HandlerCaller, arguments: HandlerArguments) -> None:
        self._caller = caller
        self._arguments = arguments
        self.buffers: dict[str, _Buffer] = {}

    def add(self, handler: Handler, envelope: AnyEnvelope, done: Done) -> None:
        """Keep a message until `flush` finds its batch due.

        Args:
            handler: The batch handler.
            envelope: The message.
            done: Called with the result and the error when the handler has run.
        """
        buffer = self.buffers.setdefault(handler.name, _Buffer(handler))
        buffer.last = time.monotonic()
        if not buffer.items:
            buffer.first = buffer.last
        buffer.items.append((envelope, done))

    @property
    def next_due(self) -> float:
        """Monotonic seconds at which the next batch is due; infinite when no message waits."""
        return min((buffer.due_at() for buffer in self.buffers.values()), default=float("inf"))

    def flush(self, *, force: bool = False) -> bool:
        """Call the handlers whose batch is due.

        Args:
            force: Call every handler that has messages.

        Returns:
            True when a handler was called.
        """
        now = time.monotonic()
        due = [name for name, buffer in self.buffers.items() if force or buffer.due_at() <= now]
        for name in due:
            buffer = self.buffers.pop(name)
            self.call(buffer.handler, buffer.items)
        return bool(due)

    def call(self, handler: Handler, items: Sequence[tuple[AnyEnvelope, Done]]) -> None:
        """Call a batch handler with messages, then report the outcome of each.

        Args:
            handler: The batch handler.
            items: The messages, each with the function to call when it is done.
        """
        acknowledger: Acknowledger[Any] = Acknowledger([envelope for envelope, _ in items])
        arguments = self._arguments.of(handler, acknowledger)
        _, error = self._caller.call(handler, [envelope.message for envelope, _ in items], arguments)
        for envelope, done in items:
            result, failure = acknowledger.outcome(envelope.message, error)
            done(*((result, failure) if result is None else self._caller.completed(handler, result)))


class Unsettled:
    """A message whose handlers run. It is settled once all of them are done, including batch handlers.

    Attributes:
        envelope: The message with the stamps it has so far.
        errors: What handlers raised, by handler name.
        waiting: Names of the batch handlers that are not done.
    """

    def __init__(self, envelope: AnyEnvelope, settle: Callable[[Exception | None], None] | None) -> None:
        """Create it.

        Args:
            envelope: The message.
            settle: Called with None or a HandlerFailed when the last batch handler is done; None for a message that
                has no transport to settle on.
        """
        self.envelope = envelope
        self.errors: dict[str, Exception] = {}
        self.waiting: set[str] = set()
        self._settle = settle

    def note(self, name: str, result: object, error: Exception | None) -> None:
        """Record the outcome of a handler.

        Args:
            name: Name of the handler.
            result: What it returned.
            error: What it raised, or None.
        """
        if error is not None:
            self.errors[name] = error
        else:
            self.envelope = self.envelope.with_stamps(HandledStamp(name, result))

    def wait_for(self, name: str) -> Done:
        """Wait for one more batch handler.

        Args:
            name: Name of the handler.

        Returns:
            A function to call with the result and the error when the handler is done.
        """
        self.waiting.add(name)
        return partial(self._done, name)

    def _done(self, name: str, result: object, error: Exception | None) -> None:
        self.waiting.discard(name)
        self.note(name, result, error)
        if not self.waiting and self._settle is not None:
            self._settle(HandlerFailed(self.envelope, self.errors) if self.errors else None)


class AckStamp(LocalStamp, frozen=True):
    """Lets a batch handler keep the message: the worker can settle it later.

    Attributes:
        settle: Called once, with None or with what went wrong.
    """

    settle: Callable[[Exception | None], None]


class NoAutoAckStamp(LocalStamp, frozen=True):
    """Marks a message that a batch handler keeps; its AckStamp settles it.

    Attributes:
        unsettled: State of the message until then.
    """

    unsettled: Unsettled
