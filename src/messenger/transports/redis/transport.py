"""Messages in a Redis stream, delayed ones in a sorted set beside it; Symfony's layout (spec 8 and 9)."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any

from messenger.envelope import AnyEnvelope
from messenger.errors import ConfigError, MessageDecodingFailed, TransportError
from messenger.stamps import DelayStamp, DeliveryStamp, TransportMessageIdStamp
from messenger.transports.base import Depth, InFlight
from messenger.transports.redis.consumer_lock import ConsumerLock
from messenger.transports.redis.inspect import DelayedMemberStamp, RedisInspector, entry_value
from messenger.transports.redis.link import Argument, RedisLink, RedisReplyError
from messenger.transports.redis.options import RedisOptions
from messenger.transports.redis.scripts import Script, missing, refused
from messenger.wire import php_string
from messenger.wire.serializer import Serializer, decode_value, encode_value, undecodable_value

log = logging.getLogger(__name__)
_MOVE_AT_ONCE = 100
_REAP_SECONDS = 3600
_CLAIM_PASSES = 50


class RedisTransport:
    """One stream and one consumer group. Implements Transport and ListableTransport.

    worker_id: the consumer name, unless the DSN fixes one.
    """

    def __init__(self, name: str, options: RedisOptions, serializer: Serializer, worker_id: str) -> None:
        self.name = name
        self.options = options
        self._serializer = serializer
        self._link = RedisLink(options)
        self._beat_link = RedisLink(options)
        self._lock = ConsumerLock(options, worker_id)
        self._inspector = RedisInspector(self._link, options, self._decode)
        self._consumer = options.consumer or worker_id
        self._stream = options.stream
        self._keys = (options.stream, f"{options.stream}__queue")
        self._is_set_up = False
        self._has_read = False
        self._claim_at = 0.0
        self._claim_cursor = b"0-0"
        self._handled = 0
        self._move_due = Script("move_due")
        self._send_delayed = Script("send_delayed")
        self._reject = Script("reject")
        self._requeue = Script("requeue")
        self._renew_lease = Script("renew_lease")
        self._hand_back = Script("hand_back")
        self._reap_consumers = Script("reap_consumers")
        self._trim_handled = Script("trim_handled")

    # --- sending ---------------------------------------------------------------------------------------------------

    def setup(self) -> None:
        """Create stream and group (XGROUP CREATE … MKSTREAM). ConfigError when a second group shares the stream."""
        reply = self._link.exchange([("XGROUP", "CREATE", self._stream, self.options.group, "0", "MKSTREAM")])[0]
        if isinstance(reply, RedisReplyError) and not refused(reply, "BUSYGROUP"):
            raise reply
        if self.options.delete_after_ack or self.options.delete_after_reject:
            groups = self._link.call("XINFO", "GROUPS", self._stream)
            if len(groups) > 1:
                raise ConfigError(
                    f"transports.{self.name}: stream {self._stream!r} has {len(groups)} groups, and a message deleted "
                    "after one group's ack is lost to the others; allowed: delete_after_ack=false and "
                    "delete_after_reject=false, or one group"
                )
        self._is_set_up = True

    def send(self, envelope: AnyEnvelope) -> AnyEnvelope:
        """XADD, or ZADD to the sorted set when the last DelayStamp is positive."""
        self._set_up_once()
        delay, payload, message_id = self._stored_form(envelope)
        if delay > 0:
            self._send_delayed.run(self._link, self._keys[1:], (delay, payload))
            return envelope.with_stamps(TransportMessageIdStamp(message_id))
        entry_id = self._link.call("XADD", self._stream, "*", "message", payload)
        return envelope.with_stamps(TransportMessageIdStamp(entry_id.decode()))

    def _stored_form(self, envelope: AnyEnvelope) -> tuple[int, bytes, str]:
        """Delay in ms, the bytes to store for it, and the id of a delayed one (spec 9.1: delayed are always bare)."""
        encoded = self._serializer.encode(envelope)
        stamp = envelope.last(DelayStamp)
        delay = stamp.delay if stamp is not None else 0
        if delay > 0:
            uniqid = secrets.token_urlsafe(9)
            return delay, encode_value(encoded, uniqid=uniqid), uniqid
        value = encode_value(encoded)
        return 0, php_string.wrap(value) if self.options.serializer == 1 else value, ""

    def _set_up_once(self) -> None:
        if self.options.auto_setup and not self._is_set_up:
            self.setup()

    # --- receiving -------------------------------------------------------------------------------------------------

    def get(self, wait: float, stop: Callable[[], bool], limit: int = 1) -> Sequence[AnyEnvelope]:
        """An abandoned message, else the next one; moves due delayed messages first."""
        self._set_up_once()
        self._lock.hold(self._link)
        self._has_read = True
        claimed = self._claim_abandoned()
        if claimed:
            return claimed
        read = ("XREADGROUP", "GROUP", self.options.group, self._consumer, "COUNT", 1, "STREAMS", self._stream, ">")
        next_due, reply = self._move_and_read(read)
        if reply is None and wait > 0 and not stop():
            seconds = wait if next_due < 0 else min(wait, max(next_due / 1000, 0.001))
            blocking = (*read[:4], "COUNT", 1, "BLOCK", max(1, int(seconds * 1000)), *read[6:])
            reply = self._link.wait(blocking, seconds, stop)
        return [self._received(*entry) for entry in reply[0][1]] if reply else []

    def _move_and_read(self, read: Sequence[Any]) -> tuple[int, Any]:
        """One round trip: move what is due, then read. A lost script or group is restored and read from again."""
        arguments = (_MOVE_AT_ONCE, self.options.serializer)
        moved, reply = self._link.exchange([self._move_due.command(self._keys, arguments), read])
        if missing(moved):
            moved = self._move_due.run(self._link, self._keys, arguments)
        if refused(reply, "NOGROUP"):
            log.warning("group_recreated transport=%s stream=%s: it was gone", self.name, self._stream)
            self.setup()
            reply = self._link.call(*read)
        for answer in (moved, reply):
            if isinstance(answer, TransportError):
                raise answer
        return int(moved), reply

    def _claim_abandoned(self) -> list[AnyEnvelope]:
        """Take over one message whose holder has shown no sign of life (XAUTOCLAIM, over all pending entries: R2)."""
        now = time.monotonic()
        if now < self._claim_at:
            return []
        command = ("XAUTOCLAIM", self._stream, self.options.group, self._consumer)
        for _ in range(_CLAIM_PASSES):
            idle = self.options.redeliver_timeout * 1000
            reply = self._link.exchange([(*command, idle, self._claim_cursor, "COUNT", 1)])[0]
            if refused(reply, "NOGROUP"):
                return []
            if isinstance(reply, TransportError):
                raise reply
            self._claim_cursor, entries, *deleted = reply
            self._report_deleted(deleted[0] if deleted else [])
            kept = [entry for entry in entries if entry is not None and entry[1] is not None]
            if kept:
                return [self._received(*entry, redelivered=True) for entry in kept]
            if self._claim_cursor == b"0-0":
                break
        self._claim_at = now + self.options.claim_interval / 1000
        self._reap()
        return []

    def _report_deleted(self, entry_ids: Sequence[bytes]) -> None:
        for entry_id in entry_ids:
            log.error(
                "message_gone transport=%s id=%s: deleted from the stream while it was being handled",
                self.name,
                entry_id.decode(),
            )

    def _reap(self) -> None:
        idle = max(_REAP_SECONDS, 2 * self.options.redeliver_timeout) * 1000
        for consumer in self._reap_consumers.run(self._link, self._keys[:1], (self.options.group, "", idle)):
            log.info("consumer_removed transport=%s consumer=%s", self.name, consumer.decode(errors="replace"))

    def _received(self, entry_id: bytes, fields: list[bytes] | None, *, redelivered: bool = False) -> AnyEnvelope:
        count = 1
        if redelivered:
            pending = self._link.call("XPENDING", self._stream, self.options.group, entry_id, entry_id, 1)
            count = pending[0][3] if pending else 2
        return self._decode(entry_value(fields)).with_stamps(
            TransportMessageIdStamp(entry_id.decode()), DeliveryStamp(count)
        )

    def _decode(self, value: bytes) -> AnyEnvelope:
        try:
            return self._serializer.decode(decode_value(value))
        except MessageDecodingFailed as error:
            return undecodable_value(value, str(error))

    # --- what becomes of a received message ------------------------------------------------------------------------

    def ack(self, envelope: AnyEnvelope) -> None:
        """XACK, then XDEL unless delete_after_ack is off; whoever has taken it over meanwhile: it is handled."""
        message_id = _id(envelope)
        acknowledge = ("XACK", self._stream, self.options.group, message_id)
        remove = ("XDEL", self._stream, message_id)
        commands = [acknowledge, remove] if self.options.delete_after_ack else [acknowledge]
        if self._link.pipeline(commands)[0] == 0:
            log.warning("already_gone transport=%s id=%s: another worker settled it", self.name, message_id)
        self._handled += 1
        if not self.options.delete_after_ack and self.options.stream_max_entries and self._handled % 100 == 0:
            self._trim_handled.run(self._link, self._keys[:1], (self.options.stream_max_entries,))

    def reject(self, envelope: AnyEnvelope) -> None:
        """XACK, then XDEL unless delete_after_reject is off; not when the lease was lost to another worker."""
        delete = 1 if self.options.delete_after_reject else 0
        arguments = (self.options.group, _id(envelope), self._holder(envelope), delete, _delayed_member(envelope))
        if not self._settle(self._reject, arguments):
            log.warning("lease_lost transport=%s id=%s: gone or taken over, not removed", self.name, _id(envelope))

    def requeue(self, received: AnyEnvelope, updated: AnyEnvelope) -> None:
        """One script: the new version is stored and the old one acknowledged, or neither (R12)."""
        delay, payload, _ = self._stored_form(updated)
        delete = 1 if self.options.delete_after_reject else 0
        who = (self.options.group, _id(received), self._holder(received), delete, _delayed_member(received))
        if not self._settle(self._requeue, (*who, delay, payload)):
            log.warning("lease_lost transport=%s id=%s: gone or taken over, not put back", self.name, _id(received))

    def _settle(self, script: Script, arguments: Sequence[Argument]) -> Any:
        """The script's reply; a group that is gone is made again, for else it would be refused for ever (R13)."""
        try:
            return script.run(self._link, self._keys, arguments)
        except RedisReplyError as error:
            if error.code != "NOGROUP":
                raise
        self.setup()
        return script.run(self._link, self._keys, arguments)

    def _holder(self, envelope: AnyEnvelope) -> str:
        """Who must hold the message for a change to apply: this consumer if it took it, anybody if it was looked up."""
        return self._consumer if envelope.last(DeliveryStamp) is not None else ""

    def keepalive(self, envelope: AnyEnvelope) -> None:
        """XCLAIM … JUSTID by this consumer, on a connection of its own."""
        self._lock.hold(self._beat_link)
        arguments = (self.options.group, _id(envelope), self._consumer)
        if not self._renew_lease.run(self._beat_link, self._keys[:1], arguments):
            log.debug("not_renewed transport=%s id=%s", self.name, _id(envelope))

    def hand_back(self, envelope: AnyEnvelope) -> None:
        """XCLAIM … IDLE … RETRYCOUNT: the next look of any worker for abandoned messages finds it."""
        arguments = (self.options.group, _id(envelope), self._consumer, self.options.redeliver_timeout * 1000)
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
                self._reap_consumers.run(self._link, self._keys[:1], (self.options.group, self._consumer, 0))
                self._lock.release(self._link)
        except TransportError as error:
            log.debug("consumer_not_removed transport=%s: %s", self.name, error)
        self._has_read = self._is_set_up = False
        self._link.close()
        self._beat_link.close()


def _delayed_member(envelope: AnyEnvelope) -> bytes:
    stamp = envelope.last(DelayedMemberStamp)
    return stamp.member if stamp is not None else b""


def _id(envelope: AnyEnvelope) -> str:
    if envelope.id is None:
        raise TransportError("this envelope was not received from a Redis transport: it has no TransportMessageIdStamp")
    return envelope.id
