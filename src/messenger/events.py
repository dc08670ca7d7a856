"""Events of a worker. Its limits, replies and the listeners of an application subscribe to them."""

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
    """The worker is about to read its first message.

    Attributes:
        transports: Names of the transports it reads.
    """

    transports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WorkerMessageReceived:
    """A message was received and is handled next.

    Attributes:
        envelope: The message.
        transport: Name of the transport it came from.
    """

    envelope: AnyEnvelope
    transport: str


@dataclass(frozen=True, slots=True)
class WorkerMessageHandled:
    """A message was handled and acknowledged.

    Attributes:
        envelope: The message.
        transport: Name of the transport it came from.
        milliseconds: How long its handlers took.
    """

    envelope: AnyEnvelope
    transport: str
    milliseconds: float


@dataclass(frozen=True, slots=True)
class WorkerMessageFailed:
    """A message failed; it waits for its retry, is in the failure transport, or was discarded.

    Attributes:
        envelope: The message.
        transport: Name of the transport it came from.
        error: What was raised.
        will_retry: True when the message waits for its next attempt.
        failure_transport: Where the message is when it is not retried. None when it is retried, or was discarded as
            configured.
        delay: Milliseconds until the next attempt.
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

    Attributes:
        limiter: Name of the limiter in messenger.yaml.
        transport: Name of the transport.
        seconds: Time until a token may be available.
        envelope: The message that has to wait, for a limiter with a key; None without a key, where no message is taken.
    """

    limiter: str
    transport: str
    seconds: float
    envelope: AnyEnvelope | None = None


@dataclass(frozen=True, slots=True)
class WorkerRunning:
    """One iteration of the worker's loop is complete.

    Attributes:
        idle: True when no message was received in it.
    """

    idle: bool


@dataclass(frozen=True, slots=True)
class WorkerHeartbeat:
    """Heartbeat of the worker: about once a second, from a background thread beside the handlers.

    Attributes:
        held: Every message that the worker has received and not settled.
    """

    held: tuple[AnyEnvelope, ...]


@dataclass(frozen=True, slots=True)
class WorkerStopped:
    """The worker has finished its last message.

    Attributes:
        reason: Why it stopped.
    """

    reason: str


class EventDispatcher:
    """Calls listeners by the class of the event, in the order they were added."""

    def __init__(self, also: EventDispatcher | None = None) -> None:
        """Create a dispatcher.

        Args:
            also: A dispatcher whose listeners are called after the own ones.
        """
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
        """Call the listeners of an event's class. A listener that fails is logged, and the others are called as well.

        Args:
            event: The event.
        """
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
