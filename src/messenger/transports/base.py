"""What a transport is. A third party's transport implements `Transport` and nothing else."""

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
    """How many messages a transport holds, and how old the oldest that waits is.

    ready: waiting to be taken. in_flight: taken and not yet acknowledged. delayed: not due yet.
    oldest_seconds: age of the oldest one ready, None when none is.
    next_due_seconds: until the first delayed one is due; negative: so long overdue, because no worker looked.
    None: none is delayed, or the transport cannot say.
    """

    ready: int
    in_flight: int
    delayed: int
    oldest_seconds: float | None = None
    next_due_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class InFlight:
    """What one consumer has taken and not yet acknowledged.

    idle_seconds: since the last sign of life for the message it has neglected longest.
    """

    consumer: str
    count: int
    idle_seconds: float


class Sender(Protocol):
    """Takes messages."""

    def send(self, envelope: AnyEnvelope) -> AnyEnvelope:
        """Store the message; when this returns the store has confirmed it. Adds a TransportMessageIdStamp.

        A DelayStamp (milliseconds) keeps it back; several: the last one counts. One that has a SqlConnectionStamp is
        given only to senders whose attribute `joins_transaction` is true.
        Raises TransportUnavailable, TransportError, MessageEncodingFailed.
        """


class Transport(Sender, Protocol):
    """Takes messages and hands them out again, each to one receiver at a time.

    All but `keepalive` and `hand_back` is called from one thread. Errors: TransportUnavailable, TransportError.
    """

    name: str

    def setup(self) -> None:
        """Create what the transport needs on its server; harmless when it is there already."""

    def get(self, wait: float, stop: Callable[[], bool], limit: int = 1) -> Sequence[AnyEnvelope]:
        """Take up to `limit` messages, oldest first. With none there, wait up to `wait` seconds for the first, but not
        once `stop()` is true.

        Each has a TransportMessageIdStamp and a DeliveryStamp. What cannot be decoded comes as an
        UndecodableMessage: it is the worker's to put aside.
        """

    def ack(self, envelope: AnyEnvelope) -> None:
        """The message is handled: forget it. One that is gone already is only logged."""

    def reject(self, envelope: AnyEnvelope) -> None:
        """The message is somebody else's now (the failure store's): forget it."""

    def requeue(self, received: AnyEnvelope, updated: AnyEnvelope) -> None:
        """Put `updated` in place of `received`, in one step: never both, never neither."""

    def keepalive(self, envelope: AnyEnvelope) -> None:
        """This message is still being worked on. Called from another thread than the rest."""

    @property
    def keepalive_interval(self) -> float:
        """How many seconds may pass between two calls of keepalive."""

    def hand_back(self, envelope: AnyEnvelope, *, begun: bool = False) -> None:
        """Free the message for another worker at once, because this one must leave.

        begun: whether its handlers were called. Only then does this delivery count as one.

        Called from another thread than the rest.
        """

    def depth(self) -> Depth:
        """How many messages there are, counted, not guessed."""

    def close(self) -> None:
        """Let go of connections. The transport connects again when used again."""


@runtime_checkable
class ListableTransport(Protocol):
    """A transport whose messages can be looked at without taking them; a failure transport needs it."""

    def all(self, limit: int) -> Sequence[AnyEnvelope]:
        """Up to `limit` messages, oldest first, the delayed and the taken ones too."""

    def find(self, message_id: str) -> AnyEnvelope | None:
        """The message with this id, as `reject` and `requeue` accept it."""


@runtime_checkable
class ConsumerTransport(Protocol):
    """A transport that knows who has taken its messages; `stats -v` shows it."""

    def in_flight(self) -> Sequence[InFlight]:
        """One entry for each consumer that holds messages, the one that was silent longest first."""


@runtime_checkable
class QueueTransport(Protocol):
    """A transport that holds several queues; `consume --queues` needs it."""

    def only_queues(self, names: Sequence[str]) -> None:
        """From now on take messages of these queues only."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a worker waits on.

    fds: file descriptors; one becomes readable when there may be a message, or when it is time to ask anew.
    seconds: look again after this long at the latest, e.g. because a delayed message is due then.
    """

    fds: tuple[int, ...]
    seconds: float


@runtime_checkable
class WakingTransport(Protocol):
    """A transport whose server tells when a message comes, so that a worker waits for several at once.

    One without this is asked again and again.
    """

    def begin_wait(self, seconds: float, limit: int = 1) -> Waiting:
        """Ask the server to tell. Only what the heartbeat's thread calls is called between this and `end_wait`.

        seconds: how long the worker is going to wait at most. limit: how many messages it can take.
        """

    def end_wait(self) -> Sequence[AnyEnvelope]:
        """Stop waiting. Gives the messages that were handed out meanwhile; none is left in between."""


@dataclass(frozen=True, slots=True)
class TransportContext:
    """What a transport factory gets from the application.

    connections: SQL URLs by connection name (`doctrine://<name>`).
    state_dir: where an embedded store keeps its files.
    dispatch: handles an envelope in this process.
    worker_id: unique per process; consumer names are made from it.
    transactions: the SQL transactions that sends of this moment join.
    max_deliveries: what is handed out more often is not read any more: that may be what ends its workers; 0: no limit.
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
