"""The interface of transports. A third party's transport implements `Transport`; the other protocols are optional."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from messenger.envelope import AnyEnvelope
from messenger.transports.transactions import SqlTransactions
from messenger.wire.serializer import Serializer


@dataclass(frozen=True, slots=True)
class Depth:
    """The number of messages in a transport, and the age of the oldest one that waits.

    Attributes:
        ready: Number of messages that can be taken now.
        in_flight: Number of messages that were taken and are not acknowledged.
        delayed: Number of messages that are not due yet.
        oldest_seconds: Age of the oldest ready message in seconds; None without one.
        next_due_seconds: Seconds until the first delayed message is due; negative when it is overdue because no worker
            has moved it. None without one, or when the transport cannot know it.
    """

    ready: int
    in_flight: int
    delayed: int
    oldest_seconds: float | None = None
    next_due_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class InFlight:
    """The messages that one consumer has taken and not acknowledged.

    Attributes:
        consumer: Name of the consumer.
        count: Number of messages.
        idle_seconds: Longest time since a lease of these messages was taken or renewed, in seconds.
    """

    consumer: str
    count: int
    idle_seconds: float


class Sender(Protocol):
    """Stores messages."""

    def send(self, envelope: AnyEnvelope) -> AnyEnvelope:
        """Store a message. When this returns, the store has confirmed it.

        A DelayStamp delays the message; of several the newest is valid. A message with a SqlConnectionStamp is given
        only to senders whose attribute `joins_transaction` is True.

        Args:
            envelope: The message.

        Returns:
            The envelope with a TransportMessageIdStamp.

        Raises:
            TransportUnavailable: The server cannot be reached.
            TransportError: The transport refused the message.
            MessageEncodingFailed: The message cannot be written.
        """


class Transport(Sender, Protocol):
    """Stores messages and delivers each to one receiver at a time.

    All methods except `keepalive` and `hand_back` are called from one thread. They raise TransportUnavailable when the
    server cannot be reached, and TransportError for other failures.

    Attributes:
        name: Name of the transport in messenger.yaml.
    """

    name: str

    def setup(self) -> None:
        """Create what the transport needs on its server. Does nothing when it exists already."""

    def get(self, wait: float, stop: Callable[[], bool], limit: int = 1) -> Sequence[AnyEnvelope]:
        """Take messages, oldest first; wait for the first one if there is none.

        A message that cannot be decoded is returned as an UndecodableMessage, which the worker moves to the failure
        transport.

        Args:
            wait: The longest time to wait, in seconds.
            stop: The wait ends when it returns True.
            limit: The largest number of messages.

        Returns:
            The messages, each with a TransportMessageIdStamp and a DeliveryStamp.
        """

    def ack(self, envelope: AnyEnvelope) -> None:
        """Remove a message that was handled. A message that no longer exists is only logged."""

    def reject(self, envelope: AnyEnvelope) -> None:
        """Remove a message that is stored elsewhere now, as in the failure transport, or is to be discarded."""

    def requeue(self, received: AnyEnvelope, updated: AnyEnvelope) -> None:
        """Replace a message by its update, atomically.

        Args:
            received: The message as it was taken.
            updated: What to store in its place.
        """

    def keepalive(self, envelope: AnyEnvelope) -> None:
        """Renew the lease of a message that is still being handled. Called from another thread."""

    @property
    def keepalive_interval(self) -> float:
        """The longest time between two calls of keepalive, in seconds."""

    def hand_back(self, envelope: AnyEnvelope, *, begun: bool = False) -> None:
        """Release a message for another worker at once, because this one ends. Called from another thread.

        Args:
            envelope: The message.
            begun: True when its handlers were called. Only then this delivery is counted.
        """

    def depth(self) -> Depth:
        """Return the exact number of messages."""

    def close(self) -> None:
        """Close the connections. The transport connects again when it is used again."""


@runtime_checkable
class ListableTransport(Protocol):
    """A transport whose messages can be listed without taking them. A failure transport needs this."""

    def all(self, limit: int) -> Sequence[AnyEnvelope]:
        """Return up to `limit` messages, oldest first, including delayed ones and those in flight."""

    def find(self, message_id: str) -> AnyEnvelope | None:
        """Return the message with this id, for `reject` and `requeue`, or None."""


@runtime_checkable
class ConsumerTransport(Protocol):
    """A transport that knows which consumer has taken a message; shown by `stats -v`."""

    def in_flight(self) -> Sequence[InFlight]:
        """Return an entry for each consumer that has messages, the one that was idle longest first."""


@runtime_checkable
class QueueTransport(Protocol):
    """A transport with several queues; used by `consume --queues`."""

    def only_queues(self, names: Sequence[str]) -> None:
        """Restrict `get` to these queues.

        Args:
            names: Names of the queues.
        """


@dataclass(frozen=True, slots=True)
class WaitCondition:
    """What a worker waits for.

    Attributes:
        fds: File descriptors. One becomes readable when there may be a message, or when it is time to ask again.
        seconds: The longest time until the transport is asked again, e.g. because a delayed message is due then.
    """

    fds: tuple[int, ...]
    seconds: float


@runtime_checkable
class WakingTransport(Protocol):
    """A transport whose server notifies of new messages, so that a worker can wait for several transports at once.

    Other transports are polled.
    """

    def begin_wait(self, seconds: float, limit: int = 1) -> WaitCondition:
        """Ask the server for a notification. Until `end_wait`, only the methods of the heartbeat's thread are called.

        Args:
            seconds: The longest time that the worker waits.
            limit: The largest number of messages that it can take.

        Returns:
            What to wait for.
        """

    def end_wait(self) -> Sequence[AnyEnvelope]:
        """Stop waiting.

        Returns:
            The messages that the server delivered during the wait.
        """


@dataclass(frozen=True, slots=True)
class TransportContext:
    """What an application gives to its transport factories.

    Attributes:
        serializer: Reads and writes messages.
        dispatch: Handles an envelope in this process.
        state_dir: Directory for the files of an embedded store.
        worker_id: Unique per process; the names of consumers are made from it.
        connections: SQL URLs by connection name (`doctrine://<name>`).
        transactions: The open SQL transactions that sends join.
        max_deliveries: A message that was delivered more often is not decoded any more, since it may be what ends its
            workers; 0 means no limit.
    """

    serializer: Serializer
    dispatch: Callable[[AnyEnvelope], AnyEnvelope]
    state_dir: Path
    worker_id: str
    connections: Mapping[str, str] = field(default_factory=dict)
    transactions: SqlTransactions = field(default_factory=SqlTransactions)
    max_deliveries: int = 0


TransportFactory = Callable[[str, str, Mapping[str, Any], TransportContext], Transport]
"""(name, DSN, options, context) -> transport. Raises ConfigError for a DSN or option it does not accept."""
