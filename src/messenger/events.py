"""What a worker tells while it works. Limits, replies and an application's own listeners hang on these."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from inspect import iscoroutine, iscoroutinefunction
from typing import Any, TypeVar

from messenger.config.importing import one_line
from messenger.envelope import AnyEnvelope
from messenger.errors import ConfigError, as_failure
from messenger.printable import SHORT, printable
from messenger.stamps import Stamp

log = logging.getLogger(__name__)
E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class WorkerStarted:
    """The worker is about to read its first message."""

    transports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WorkerMessageReceived:
    """A message was received and is handled next."""

    envelope: AnyEnvelope
    transport: str


@dataclass(frozen=True, slots=True)
class WorkerMessageHandled:
    """A message was handled and acknowledged.

    milliseconds: how long its handlers took.
    """

    envelope: AnyEnvelope
    transport: str
    milliseconds: float


@dataclass(frozen=True, slots=True)
class WorkerMessageFailed:
    """A message failed, and is now waiting for its retry or in the failure transport.

    failure_transport: where it is when it is not retried; None: it is retried, or was discarded as configured.
    delay: milliseconds until its next try.
    """

    envelope: AnyEnvelope
    transport: str
    error: Exception
    will_retry: bool
    failure_transport: str | None
    delay: int = 0


@dataclass(frozen=True, slots=True)
class WorkerRateLimited:
    """A transport's rate limiter had no token.

    limiter: its name in messenger.yaml. seconds: until one is worth asking for.
    envelope: the message that there was none for, of a limiter with a key; without one none was taken.
    """

    limiter: str
    transport: str
    seconds: float
    envelope: AnyEnvelope | None = None


@dataclass(frozen=True, slots=True)
class WorkerRunning:
    """One turn of the loop is over.

    idle: nothing was received in it.
    """

    idle: bool


@dataclass(frozen=True, slots=True)
class WorkerHeartbeat:
    """About once a second, from a thread of its own beside the handlers.

    held: every message that the worker has taken and not settled.
    """

    held: tuple[AnyEnvelope, ...]


@dataclass(frozen=True, slots=True)
class WorkerStopped:
    """The worker has finished its last message."""

    reason: str


class EventDispatcher:
    """Calls listeners by the class of the event, in the order they were added.

    also: its listeners are called after the own ones.
    """

    def __init__(self, also: EventDispatcher | None = None) -> None:
        self._also = also
        self._listeners: dict[type, list[tuple[Callable[[Any], None], type[Stamp] | None]]] = {}

    def listen(
        self, event_type: type[E], listener: Callable[[E], None], *, only_with: type[Stamp] | None = None
    ) -> None:
        """Call a listener with every event of a class.

        Args:
            event_type: The class of the events.
            listener: A plain function of the event.
            only_with: Leave out events of messages without a stamp of this class.

        Raises:
            ConfigError: The listener is async.
        """
        if iscoroutinefunction(listener):
            name = getattr(listener, "__qualname__", listener)
            raise ConfigError(f"the listener {name} is async; allowed: a plain function")
        self._listeners.setdefault(event_type, []).append((listener, only_with))

    def dispatch(self, event: Any) -> None:
        """Call the listeners of this event's class. One that fails is logged, and the others are called as well."""
        dispatcher: EventDispatcher | None = self
        while dispatcher is not None:
            for listener, stamp in dispatcher._listeners.get(type(event), ()):
                if stamp is not None and stamp not in map(type, event.envelope.stamps):
                    continue
                try:
                    result = listener(event)
                except BaseException as error:
                    as_failure(error, "a listener")  # Ctrl-C goes on
                    name = printable(getattr(listener, "__qualname__", listener), SHORT)
                    log.error("listener_failed %s of %s: %s", name, type(event).__name__, one_line(error))
                    continue
                if iscoroutine(result):
                    result.close()
                    name = result.__qualname__
                    log.error("listener_not_run %s: it is async, and listeners are plain functions", name)
            dispatcher = dispatcher._also
