"""What a message meets when it is sent, besides being stored: limits of size and number, and replicas to wait for."""

from __future__ import annotations

import time
from collections.abc import Callable

from messenger.envelope import AnyEnvelope
from messenger.errors import NotReplicated, TransportError, TransportFull, TransportUnavailable
from messenger.redis.link import RedisLink, RedisReplyError
from messenger.redis.options import RedisOptions
from messenger.redis.scripts import Script
from messenger.stamps import RedeliveryStamp
from messenger.transports.size_limit import check_size, was_accepted


def explain(error: TransportError, name: str, stream: str) -> None:
    """Raise a TransportError in words of its own for what Redis says of a stream that takes no entry any more."""
    if "exhausted the last possible ID" in str(error):
        raise TransportError(
            f"transport {name!r}: nothing was sent: stream {stream!r} has an entry with the largest possible id and "
            "takes no other; `messenger check` says how to mend it"
        ) from error
    if isinstance(error, RedisReplyError) and error.code == "WRONGTYPE":
        raise TransportError(
            f"transport {name!r}: nothing was sent: what lies under the name of stream {stream!r} or its delayed "
            "messages is of another type; `messenger check` says how to mend it"
        ) from error


class Dispatching:
    """The options max_message_bytes, stream_max_entries and wait_replicas of one transport.

    name: the transport's.
    """

    def __init__(self, name: str, link: RedisLink, options: RedisOptions) -> None:
        self._name = name
        self._link = link
        self._options = options
        self._bounded = self._make_bounded() if options.stream_max_entries else None

    def send(self, envelope: AnyEnvelope, delay: int, payload: bytes, store: Callable[[], str]) -> str:
        """Store a message; its id.

        delay: milliseconds. payload: what is to be stored. store: does it where no option says otherwise.

        Raises MessageTooLarge; TransportFull: see BoundedStream; NotReplicated: see wait_for_replicas.
        """
        allows = f"max_message_bytes of the transport {self._name!r}"
        check_size(envelope, len(payload), self._options.max_message_bytes, allows)
        try:
            if self._bounded is None or delay > 0 or envelope.last(RedeliveryStamp) is not None:
                message_id = store()  # what was accepted finds room
            else:
                message_id = self._bounded.add(payload)
        except TransportError as error:
            explain(error, self._name, self._options.stream)
            limit = server_limit(self._link, len(payload))
            check_size(envelope, len(payload), limit, f"{_LIMIT_NAME} of {self._options.address}")
            raise
        if self._options.wait_replicas and not was_accepted(envelope):
            wait_for_replicas(self._name, self._link, self._options, message_id)
        return message_id

    def _make_bounded(self) -> BoundedStream:

        return BoundedStream(self._name, self._link, self._options)

    def acknowledged(self) -> None:
        """A message was handled."""
        if self._bounded is not None:
            self._bounded.acknowledged()


_TRIM_EVERY = 100
_SHORTEST_PAUSE = 0.02  # seconds
_LONGEST_PAUSE = 0.25


class BoundedStream:
    """Adds to a stream while it has fewer entries than `stream_max_entries`.

    name: the transport's.
    """

    def __init__(self, name: str, link: RedisLink, options: RedisOptions) -> None:
        self._name = name
        self._link = link
        self._options = options
        self._handled = 0
        self._script = Script("bound", __package__, prelude="groups")

    def add(self, payload: bytes) -> str:
        """The id of the new entry. With `stream_full=block` waits for room, `stream_full_timeout` seconds at most.

        Raises TransportFull.
        """
        deadline = time.monotonic() + self._options.stream_full_timeout
        pause = _SHORTEST_PAUSE
        while True:
            entry_id: bytes | None = self._bound(payload)
            if entry_id is not None:
                return entry_id.decode()
            left = deadline - time.monotonic()
            if self._options.stream_full == "refuse" or left <= 0:
                raise self._full()
            time.sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST_PAUSE)

    def acknowledged(self) -> None:
        """A message was handled: where handled ones are kept, now and then remove the oldest above the maximum."""
        self._handled += 1
        if not self._options.delete_after_ack and self._handled % _TRIM_EVERY == 0:
            self._bound()

    def _bound(self, *payload: bytes) -> bytes | None:
        found: bytes | None = self._script.run(
            self._link, (self._options.stream,), (self._options.stream_max_entries, *payload)
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


def wait_for_replicas(name: str, link: RedisLink, options: RedisOptions, message_id: str) -> None:
    """Wait until `wait_replicas` replicas have confirmed what was just written on this link (WAIT).

    name: the transport's. message_id: of what was written.

    Raises NotReplicated when fewer did within `wait_replicas_timeout`, or when that cannot be known any more.
    """
    connected = link.opened
    try:
        count = int(link.call("WAIT", options.wait_replicas, max(1, round(options.wait_replicas_timeout * 1000))))
        if link.opened != connected:  # a new connection has written nothing: all replicas confirm that
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


def server_limit(link: RedisLink, size: int) -> int:
    """Bytes; 0 when a value of this size cannot be what it refused. CONFIG GET; refused: Redis' default."""
    if size <= _SMALLEST:
        return 0
    link.close()  # the server is closing it, perhaps not at once
    try:
        return int(link.call("CONFIG", "GET", _LIMIT_NAME)[1])
    except RedisReplyError:
        return _DEFAULT
    except TransportUnavailable:
        return 0
