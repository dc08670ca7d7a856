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
    """The messages that wait for one handler. first, last: monotonic seconds when those came."""

    handler: Handler
    items: list[tuple[AnyEnvelope, Done]] = field(default_factory=list)
    first: float = 0.0
    last: float = 0.0

    def due_at(self) -> float:
        """When the handler is to be called: at once when the batch is full."""
        batch = self.handler.options.batch
        if batch is None or len(self.items) >= batch.size:
            return 0.0
        return min(self.first + batch.max_wait, self.last + batch.max_idle)


class Batches:
    """The messages that wait for their batch handlers, in this process. They stay in flight on their transports.

    Attributes:
        buffers: The messages by the name of the handler that they wait for.
    """

    def __init__(self, caller: HandlerCaller, arguments: HandlerArguments) -> None:
        self._caller = caller
        self._arguments = arguments
        self.buffers: dict[str, _Buffer] = {}

    def add(self, handler: Handler, envelope: AnyEnvelope, done: Done) -> None:
        """Keep a message until `flush` finds its batch due; `done` is called with the result or the error."""
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
        """Call the handlers whose batch is due; with `force` all that have messages. Whether there was one."""
        now = time.monotonic()
        due = [name for name, buffer in self.buffers.items() if force or buffer.due_at() <= now]
        for name in due:
            buffer = self.buffers.pop(name)
            self.call(buffer.handler, buffer.items)
        return bool(due)

    def call(self, handler: Handler, items: Sequence[tuple[AnyEnvelope, Done]]) -> None:
        """Give these messages to a batch handler in one call, then tell each one's outcome."""
        acknowledger: Acknowledger[Any] = Acknowledger([envelope for envelope, _ in items])
        arguments = self._arguments.of(handler, acknowledger)
        _, error = self._caller.call(handler, [envelope.message for envelope, _ in items], arguments)
        for envelope, done in items:
            result, failure = acknowledger.outcome(envelope.message, error)
            done(*((result, failure) if result is None else self._caller.completed(handler, result)))


class Unsettled:
    """A message on its way through its handlers. It is settled once all of them are done, batch handlers too.

    envelope: the message with what is known of it so far.
    errors: what handlers raised, by name. waiting: the batch handlers that still have it.
    settle: gets None, or HandlerFailed with all errors, when the last of them is done.
    """

    def __init__(self, envelope: AnyEnvelope, settle: Callable[[Exception | None], None] | None) -> None:
        self.envelope = envelope
        self.errors: dict[str, Exception] = {}
        self.waiting: set[str] = set()
        self._settle = settle

    def note(self, name: str, result: object, error: Exception | None) -> None:
        """How a handler ended."""
        if error is not None:
            self.errors[name] = error
        else:
            self.envelope = self.envelope.with_stamps(HandledStamp(name, result))

    def wait_for(self, name: str) -> Done:
        """One more batch handler has the message. Returns what to call when it is done."""
        self.waiting.add(name)
        return partial(self._done, name)

    def _done(self, name: str, result: object, error: Exception | None) -> None:
        self.waiting.discard(name)
        self.note(name, result, error)
        if not self.waiting and self._settle is not None:
            self._settle(HandlerFailed(self.envelope, self.errors) if self.errors else None)


class AckStamp(LocalStamp, frozen=True):
    """The worker can settle this message later, so a batch handler may keep it for a while.

    settle: to be called once, with None or with what went wrong.
    """

    settle: Callable[[Exception | None], None]


class NoAutoAckStamp(LocalStamp, frozen=True):
    """A batch handler has the message; it is settled by its AckStamp.

    unsettled: how it stands with the message until then.
    """

    unsettled: Unsettled
