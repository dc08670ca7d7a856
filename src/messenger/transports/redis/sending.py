"""What options of a transport ask of a message that is sent: limits of size and number, replicas to wait for."""

from __future__ import annotations

import time

from messenger.envelope import AnyEnvelope
from messenger.errors import NotReplicated, TransportError, TransportFull, TransportUnavailable
from messenger.redis.connection import RedisConnection, RedisReplyError
from messenger.redis.options import RedisOptions
from messenger.redis.scripts import Script
from messenger.stamps import RedeliveryStamp
from messenger.transports.size_limit import check_size, was_accepted


def explain(
    error: TransportError,
    name: str,
    connection: RedisConnection,
    options: RedisOptions,
    envelope: AnyEnvelope,
    size: int,
) -> None:
    """Raise an error with a cure for what Redis says of a message that it does not take; else return.

    Args:
        error: What was raised.
        name: The transport's name.
        connection: The connection that the message was sent on.
        options: The transport's options.
        envelope: The message.
        size: Bytes as they are stored.

    Raises:
        TransportError: The stream takes no entry any more.
        MessageTooLarge: The server takes no value of this size.
    """
    if "exhausted the last possible ID" in str(error):
        raise TransportError(
            f"transport {name!r}: nothing was sent: stream {options.stream!r} has an entry with the largest possible "
            "id and takes no other; `messenger check` says how to mend it"
        ) from error
    if isinstance(error, RedisReplyError) and error.code == "WRONGTYPE":
        raise TransportError(
            f"transport {name!r}: nothing was sent: what lies under the name of stream {options.stream!r} or its "
            "delayed messages is of another type; `messenger check` says how to mend it"
        ) from error
    check_size(envelope, size, server_limit(connection, size), f"{_LIMIT_NAME} of {options.address}")


class SendingLimits:
    """The options max_message_bytes, stream_max_entries and wait_replicas of one transport."""

    def __init__(self, name: str, options: RedisOptions) -> None:
        """Create them.

        Args:
            name: The transport's name.
            options: The transport's options.
        """
        self._name = name
        self._options = options
        self._bounded = BoundedStream(name, options) if options.stream_max_entries else None

    @staticmethod
    def are_set(options: RedisOptions) -> bool:
        """Return True when one of these options is set."""
        return bool(options.max_message_bytes or options.stream_max_entries or options.wait_replicas)

    def check_size(self, envelope: AnyEnvelope, payload: bytes) -> None:
        """Raise MessageTooLarge for a new message of more than `max_message_bytes`."""
        allows = f"max_message_bytes of the transport {self._name!r}"
        check_size(envelope, len(payload), self._options.max_message_bytes, allows)

    def bounded_for(self, envelope: AnyEnvelope) -> BoundedStream | None:
        """Return what a new message waits for; None: what was accepted before finds room."""
        return self._bounded if envelope.last(RedeliveryStamp) is None else None

    def wait_for_replicas(self, connection: RedisConnection, envelope: AnyEnvelope, message_id: str) -> None:
        """Wait until replicas have a new message.

        Raises:
            NotReplicated: See `wait_for_replicas`.
        """
        if self._options.wait_replicas and not was_accepted(envelope):
            wait_for_replicas(self._name, connection, self._options, message_id)

    def acknowledged(self, connection: RedisConnection) -> None:
        """Make room after a message was handled."""
        if self._bounded is not None:
            self._bounded.acknowledged(connection)


_TRIM_EVERY = 100
_SHORTEST_PAUSE = 0.02  # seconds
_LONGEST_PAUSE = 0.25


class BoundedStream:
    """Adds entries to a stream while it has fewer than `stream_max_entries`."""

    def __init__(self, name: str, options: RedisOptions) -> None:
        """Create it.

        Args:
            name: Name of the transport.
            options: Its options.
        """
        self._name = name
        self._options = options
        self._handled = 0
        self._script = Script("bound", __package__, prelude="groups")

    def add(self, connection: RedisConnection, payload: bytes) -> str:
        """Add an entry. With `stream_full=block`, wait up to `stream_full_timeout` seconds for room.

        Returns:
            The id of the new entry.

        Raises:
            TransportFull: The stream is full.
        """
        deadline = time.monotonic() + self._options.stream_full_timeout
        pause = _SHORTEST_PAUSE
        while True:
            entry_id: bytes | None = self._bound(connection, payload)
            if entry_id is not None:
                return entry_id.decode()
            left = deadline - time.monotonic()
            if self._options.stream_full == "refuse" or left <= 0:
                raise self._full()
            time.sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST_PAUSE)

    def acknowledged(self, connection: RedisConnection) -> None:
        """A message was handled: where handled ones are kept, now and then remove the oldest above the maximum."""
        self._handled += 1
        if not self._options.delete_after_ack and self._handled % _TRIM_EVERY == 0:
            self._bound(connection)

    def _bound(self, connection: RedisConnection, *payload: bytes) -> bytes | None:
        found: bytes | None = self._script.run(
            connection, (self._options.stream,), (self._options.stream_max_entries, *payload)
        )
        return found

    def _full(self) -> TransportFull:
        blocked = self._options.stream_full == "block"
        waited = f", still after {self._options.stream_full_timeout:g} s" if blocked else ""
        return TransportFull(
            f"transport {self._name!r} is full{waited}: stream {self._options.stream!r} holds "
            f"{self._options.stream_max_entries:,} messages that are not handled yet (stream_max_entries); nothing was "
            "sent: try again later, start more workers, or raise stream_max_entries"
        )


def wait_for_replicas(name: str, connection: RedisConnection, options: RedisOptions, message_id: str) -> None:
    """Wait until `wait_replicas` replicas have confirmed the last write of a connection (WAIT).

    Args:
        name: Name of the transport.
        connection: The connection to Redis.
        options: The options of the transport.
        message_id: Id of the message that was written.

    Raises:
        NotReplicated: Fewer replicas did within `wait_replicas_timeout`, or that cannot be known any more.
    """
    connected = connection.opened
    try:
        count = int(connection.call("WAIT", options.wait_replicas, max(1, round(options.wait_replicas_timeout * 1000))))
        if connection.opened != connected:  # a new connection has written nothing: all replicas confirm that
            raise TransportError("the connection broke before they could be asked")
        if count >= options.wait_replicas:
            return
        what = f"{count} of {options.wait_replicas} replicas have confirmed it in {options.wait_replicas_timeout:g} s"
    except TransportError as error:
        what = f"whether replicas have it is not known ({error})"
    raise NotReplicated(
        f"transport {name!r}: message {message_id} is stored by {options.address}, and {what} (wait_replicas): it is "
        "handled unless a failover to another replica loses it. Sent again it may be handled twice; not sent again it "
        "may be lost. Look at INFO replication there, and whether it is still the master"
    )


_LIMIT_NAME = "proto-max-bulk-len"
_SMALLEST = 1024 * 1024  # Redis takes no lower setting
_DEFAULT = 512 * 1024 * 1024


def server_limit(connection: RedisConnection, size: int) -> int:
    """Bytes; 0 when a value of this size cannot be what it refused. CONFIG GET; refused: Redis' default."""
    if size <= _SMALLEST:
        return 0
    connection.close()  # the server is closing it, perhaps not at once
    try:
        return int(connection.call("CONFIG", "GET", _LIMIT_NAME)[1])
    except RedisReplyError:
        return _DEFAULT
    except TransportUnavailable:
        return 0
