"""Messages in a Redis stream, delayed ones in a sorted set beside it; Symfony's layout."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from messenger.envelope import AnyEnvelope
from messenger.errors import TransportError
from messenger.polling import wait_readable
from messenger.redis.connection import GRACE_SECONDS, RedisConnection, RedisReplyError
from messenger.redis.driver import Argument
from messenger.redis.open import connect
from messenger.redis.options import RedisOptions
from messenger.redis.scripts import Script
from messenger.stamps import DelayStamp, DeliveryStamp, TransportMessageIdStamp
from messenger.transports.base import Depth, InFlight, WaitCondition
from messenger.transports.redis.consumer_lock import ConsumerLock
from messenger.transports.redis.groups import HEADER_IN_JSON, Groups
from messenger.transports.redis.inspect import DelayedMemberStamp, RedisInspector
from messenger.transports.redis.receiving import Reader
from messenger.transports.redis.sending import SendingLimits, explain
from messenger.wire import php_string
from messenger.wire.encoded import UndecodableMessage
from messenger.wire.serializer import Serializer, encode_value, raw_value

log = logging.getLogger(__name__)
# What requeue.lua and reject.lua answer.
_UNREAD = -1
_SEVERAL_GROUPS = -2
_MOST_IDLE = 64  # connections that are kept for later sends


class StoredForm(NamedTuple):
    """A message as Redis holds it.

    Attributes:
        value: The bytes.
        delay: Milliseconds; not above 0: it is due.
        uniqid: The id of a delayed message.
    """

    value: bytes
    delay: int = 0
    uniqid: str = ""


class RedisTransport:
    """One stream and one consumer group. Implements Transport, and its Waking, Consumer and Listable extensions."""

    def __init__(
        self, name: str, options: RedisOptions, serializer: Serializer, worker_id: str, max_deliveries: int = 0
    ) -> None:
        """Create a transport; it connects at first use.

        Args:
            name: Name of the transport.
            options: Its options.
            serializer: Writes and reads messages.
            worker_id: Name of the consumer, unless the DSN sets one.
            max_deliveries: See TransportContext.
        """
        self.name = name
        self.options = options
        self._serializer = serializer
        self._connection = connect(options)
        self._beat_link = connect(options)
        self._lock = ConsumerLock(options, worker_id)
        self._groups = Groups(name, self._connection, options)
        self._inspector = RedisInspector(self._connection, options, serializer)
        self._consumer = options.consumer or worker_id
        self._reader = Reader(name, self._connection, options, self._consumer, serializer, max_deliveries, self._groups)
        self._stream = options.stream
        self._keys = (options.stream, options.queue)
        self._is_set_up = self._has_read = False
        self._creates_group = options.auto_setup  # before the first message is sent
        self._idle_connections: list[
            RedisConnection
        ] = []  # without a lock, which a fork could copy in its locked state
        self._limits = SendingLimits(name, options) if SendingLimits.are_set(options) else None
        self._send_delayed = Script("send_delayed", __package__)
        self._ack = Script("ack", __package__, prelude="groups")
        self._reject = Script("reject", __package__, prelude="groups")
        self._requeue = Script("requeue", __package__, prelude="groups")
        self._renew_lease = Script("renew_lease", __package__)
        self._hand_back = Script("hand_back", __package__)

    # --- sending ---------------------------------------------------------------------------------------------------

    def setup(self) -> None:
        """Create stream and group (XGROUP CREATE … MKSTREAM)."""
        self._groups.create()
        self._is_set_up = True
        self._creates_group = False

    def send(self, envelope: AnyEnvelope) -> AnyEnvelope:
        """Add the message to the stream (XADD), or to the sorted set (ZADD) when its last DelayStamp is positive.

        Thread-safe: each thread has its own connection, which is not the one that the worker waits on.

        Raises:
            MessageTooLarge: The message is larger than max_message_bytes.
            TransportFull: The stream is full; see BoundedStream.
            NotReplicated: Too few replicas confirmed it; see wait_for_replicas.
            TransportUnavailable: Redis cannot be reached.
        """
        stored = self._stored_form(envelope)
        try:
            connection = self._idle_connections.pop()
        except IndexError:
            connection = connect(self.options)
        try:
            if self._creates_group or HEADER_IN_JSON in stored.value:
                self._prepare_to_send(connection, envelope)
            if self._limits is None:
                message_id = self._store(connection, envelope, stored)
            else:
                message_id = self._store_within(self._limits, connection, envelope, stored)
        finally:
            if len(self._idle_connections) < _MOST_IDLE:
                self._idle_connections.append(connection)
            else:
                connection.close()
        return envelope.with_stamps(TransportMessageIdStamp(message_id))

    def _prepare_to_send(self, connection: RedisConnection, envelope: AnyEnvelope) -> None:
        """Create stream and group where they are missing. Raises TransportError, also when the message's group is gone.

        A user who may only send leaves the group to the workers: it begins with the first entry of the stream. A key
        of another type is explained when the message cannot be stored.
        """
        self._groups.check_target(connection, envelope)  # before its group, perhaps the one that is gone, is created
        if not self._creates_group:
            return
        try:
            connection.call("XGROUP", "CREATE", self._stream, self.options.group, "0", "MKSTREAM")
        except RedisReplyError as error:
            if error.code not in ("BUSYGROUP", "NOPERM", "WRONGTYPE"):
                raise
        self._creates_group = False

    def _store(self, connection: RedisConnection, envelope: AnyEnvelope, stored: StoredForm) -> str:
        """Return the id of the new entry, or of the delayed message."""
        try:
            if stored.delay > 0:
                self._send_delayed.run(connection, (self.options.queue,), (stored.delay, stored.value))
                return stored.uniqid
            entry_id: bytes = connection.call("XADD", self._stream, "*", "message", stored.value)
        except TransportError as error:
            explain(error, self.name, connection, self.options, envelope, len(stored.value))
            raise
        return entry_id.decode()

    def _store_within(
        self, limits: SendingLimits, connection: RedisConnection, envelope: AnyEnvelope, stored: StoredForm
    ) -> str:
        """Store as `_store` does, within the limits that the options set."""
        limits.check_size(envelope, stored.value)
        bounded = limits.bounded_for(envelope) if stored.delay <= 0 else None
        if bounded is None:
            message_id = self._store(connection, envelope, stored)
        else:
            try:
                message_id = bounded.add(connection, stored.value)
            except TransportError as error:
                explain(error, self.name, connection, self.options, envelope, len(stored.value))
                raise
        limits.wait_for_replicas(connection, envelope, message_id)
        return message_id

    def _stored_form(self, envelope: AnyEnvelope) -> StoredForm:
        """Return what is stored of a message. Delayed messages are never wrapped.

        Raises:
            MessageEncodingFailed: The message cannot be written.
        """
        if isinstance(envelope.message, UndecodableMessage):
            raw = raw_value(envelope)
            if raw is not None:
                return StoredForm(raw)
        encoded = self._serializer.encode(envelope)
        stamp = envelope.last(DelayStamp)
        delay = stamp.delay if stamp is not None else 0
        if delay > 0:
            uniqid = secrets.token_urlsafe(9)
            return StoredForm(encode_value(encoded, uniqid=uniqid), delay, uniqid)
        value = encode_value(encoded)
        return StoredForm(php_string.wrap(value) if self.options.serializer == 1 else value)

    # --- receiving -------------------------------------------------------------------------------------------------

    def get(self, wait: float, stop: Callable[[], bool], limit: int = 1) -> Sequence[AnyEnvelope]:
        """Abandoned messages, else the next ones; moves due delayed messages first."""
        deadline = time.monotonic() + wait
        while True:
            if not self._has_read or self.options.consumer is not None:
                self._prepare_to_read()
            taken = self._reader.take(limit)
            left = deadline - time.monotonic()
            if taken or left <= 0 or stop():
                return taken
            waiting = self._reader.begin_wait(left, limit)
            wait_readable(waiting.fds, waiting.seconds + GRACE_SECONDS, stop)
            if taken := self._reader.end_wait():
                return taken

    def begin_wait(self, seconds: float, limit: int = 1) -> WaitCondition:
        """See WakingTransport: a blocking read that `end_wait` ends."""
        self._prepare_to_read()
        return self._reader.begin_wait(seconds, limit)

    def end_wait(self) -> Sequence[AnyEnvelope]:
        """See WakingTransport."""
        return self._reader.end_wait()

    def _prepare_to_read(self) -> None:
        if self.options.auto_setup and not self._is_set_up:
            self.setup()
        self._lock.hold(self._connection)
        self._has_read = True

    # --- what becomes of a received message ------------------------------------------------------------------------

    def ack(self, envelope: AnyEnvelope) -> None:
        """Acknowledge a handled message (XACK), even if another consumer has it now.

        The entry is deleted as well, unless delete_after_ack is off.
        """
        message_id = _id(envelope)
        arguments = (self.options.group, message_id, int(self.options.delete_after_ack))
        if not self._ack.run(self._connection, self._keys[:1], arguments):
            log.warning("already_gone transport=%s id=%s: another worker settled it", self.name, message_id)
        if self._limits is not None:
            self._limits.acknowledged(self._connection)

    def reject(self, envelope: AnyEnvelope) -> None:
        """XACK, then XDEL unless delete_after_reject is off; not when the lease was lost to another worker."""
        self._settle(self._reject, "removed", envelope)

    def requeue(self, received: AnyEnvelope, updated: AnyEnvelope) -> None:
        """One script: the new version is stored and the old one acknowledged, or neither."""
        stored = self._stored_form(self._groups.mark(updated))
        several = int(self._groups.several)
        if self._settle(self._requeue, "put back", received, stored.delay, stored.value, several) == _SEVERAL_GROUPS:
            self._groups.several = True
            self.requeue(received, updated)

    def _settle(self, script: Script, done: str, envelope: AnyEnvelope, *more: Argument) -> int:
        """The script's reply, and a log line when the message is not this worker's to settle. done: what is asked."""
        # Who must hold it: this consumer if it took it, anybody if it was looked up.
        holder = self._consumer if envelope.last(DeliveryStamp) is not None else ""
        looked_up = envelope.last(DelayedMemberStamp)
        member = looked_up.member if looked_up is not None else b""
        who = (self.options.group, _id(envelope), holder, int(self.options.delete_after_reject), member)
        try:
            answer: int = script.run(self._connection, self._keys, (*who, *more))
        except RedisReplyError as refusal:
            self._groups.create_again(refusal)
            answer = script.run(self._connection, self._keys, (*who, *more))
        if answer == 0:
            log.warning("lease_lost transport=%s id=%s: gone or taken over, not %s", self.name, _id(envelope), done)
        if answer == _UNREAD:
            raise TransportError(
                f"transport {self.name!r}: {_id(envelope)} cannot be {done}: group {self.options.group!r} has not read "
                f"it yet, and other groups of stream {self._stream!r} need it"
            )
        return answer

    def keepalive(self, envelope: AnyEnvelope) -> None:
        """XCLAIM … JUSTID by this consumer, on a connection of its own."""
        self._lock.hold(self._beat_link)
        arguments = (self.options.group, _id(envelope), self._consumer)
        if not self._renew_lease.run(self._beat_link, self._keys[:1], arguments):
            log.debug("not_renewed transport=%s id=%s", self.name, _id(envelope))

    def hand_back(self, envelope: AnyEnvelope, *, begun: bool = False) -> None:
        """XCLAIM … IDLE … RETRYCOUNT: the next look of any worker for abandoned messages finds it."""
        idle = self.options.redeliver_timeout * 1000
        arguments = (self.options.group, _id(envelope), self._consumer, idle, int(begun))
        if not self._hand_back.run(self._beat_link, self._keys[:1], arguments):
            log.warning("lease_lost transport=%s id=%s: gone or taken over, not handed back", self.name, _id(envelope))

    @property
    def keepalive_interval(self) -> float:
        """A quarter of redeliver_timeout, in seconds."""
        return self.options.redeliver_timeout / 4

    # --- looking ---------------------------------------------------------------------------------------------------

    def depth(self) -> Depth:
        """See Transport."""
        return self._inspector.depth()

    def in_flight(self) -> Sequence[InFlight]:
        """See ConsumerTransport."""
        return self._inspector.in_flight()

    def all(self, limit: int) -> Sequence[AnyEnvelope]:
        """See ListableTransport."""
        return self._inspector.all(limit)

    def find(self, message_id: str) -> AnyEnvelope | None:
        """See ListableTransport."""
        return self._inspector.find(message_id)

    def close(self) -> None:
        """Give the consumer name back, if it holds nothing, and drop the connections."""
        try:
            if self._has_read:
                self._reader.leave()
                self._lock.release(self._connection)
        except TransportError as error:
            log.debug("consumer_not_removed transport=%s: %s", self.name, error)
        self._has_read = self._is_set_up = False
        self._creates_group = self.options.auto_setup
        self._reader.close()
        while self._idle_connections:
            self._idle_connections.pop().close()
        self._connection.close()
        self._beat_link.close()


def _id(envelope: AnyEnvelope) -> str:
    found = envelope.id
    if found is None:
        raise TransportError("this envelope was not received from a Redis transport: it has no TransportMessageIdStamp")
    return found
