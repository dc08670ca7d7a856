"""Taking messages from the stream: due delayed ones are moved in, abandoned ones are taken over, new ones are read."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from messenger.envelope import AnyEnvelope
from messenger.errors import TransportError
from messenger.redis.connection import RedisConnection, RedisReplyError
from messenger.redis.options import RedisOptions
from messenger.redis.scripts import Script
from messenger.stamps import DeliveryStamp, TransportMessageIdStamp
from messenger.transports.base import WaitCondition
from messenger.transports.redis.delayed_watch import DelayedWatch
from messenger.transports.redis.groups import HEADER_IN_JSON, Groups, is_for_another
from messenger.transports.redis.inspect import entry_value
from messenger.wire.serializer import Serializer

log = logging.getLogger(__name__)
_MOVE_AT_ONCE = 100
_REAP_SECONDS = 3600
_CLAIM_PASSES = 50
_DELETED = -2  # see move_due.lua
# Errors of a blocked XREADGROUP when the group or the whole stream is deleted.
_GROUP_IS_GONE = ("NOGROUP", "UNBLOCKED")
Entry = tuple[bytes, list[bytes] | None]


@dataclass
class Reader:
    """One consumer of one group.

    Attributes:
        name: Name of the transport.
        connection: The connection to Redis.
        options: The options of the transport.
        consumer: Name of the consumer.
        serializer: Reads messages.
        max_deliveries: See TransportContext.
        groups: Notified of each search for abandoned messages.
    """

    name: str
    connection: RedisConnection
    options: RedisOptions
    consumer: str
    serializer: Serializer
    max_deliveries: int
    groups: Groups

    def __post_init__(self) -> None:
        self._keys = (self.options.stream, self.options.queue)
        self._moving = (self._keys, (_MOVE_AT_ONCE, self.options.serializer))
        self._claim_at = float("-inf")  # monotonic seconds of the next look for abandoned messages
        self._claim_cursor = b"0-0"
        self._move_due = Script("move_due", __package__)
        self._watch = DelayedWatch(self.connection, self.options)
        self._reap_consumers = Script("reap_consumers", __package__)
        self._put_clock_right = Script("put_clock_right", __package__)

    def take(self, limit: int) -> list[AnyEnvelope]:
        """Return up to `limit` messages: abandoned ones when it is time to look for them, else new ones."""
        try:
            claimed = self.claim(limit) if self._claim_at <= time.monotonic() else []
            return claimed or self.read(limit)
        except RedisReplyError as refusal:
            self.groups.create_again(refusal)
        claimed = self.claim(limit) if self._claim_at <= time.monotonic() else []
        return claimed or self.read(limit)

    # --- new messages ----------------------------------------------------------------------------------------------

    def read(self, limit: int) -> list[AnyEnvelope]:
        """Return up to `limit` new messages, in one round trip: move what is due, then read."""
        moved, reply = self._move_due.ask(self.connection, *self._moving, self._read_command(limit))
        if not reply and isinstance(moved, RedisReplyError) and moved.code == "OOM":
            moved = self._move_without_memory()
        if moved == _DELETED:
            self._warn_of_deleted_key()
        for refusal in (reply, moved if not reply else None):  # what was handed out is ours, whatever was not moved
            if isinstance(refusal, TransportError):
                raise refusal
        return self._from_reply(reply)

    def begin_wait(self, seconds: float, limit: int) -> WaitCondition:
        """Move what is due, then ask for the next messages and do not wait for the reply (XREADGROUP … BLOCK)."""
        fds = self._watch.begin()
        try:
            next_due = self._move_due.run(self.connection, *self._moving)
        except RedisReplyError as error:
            if error.code != "OOM":
                raise
            next_due = self._move_without_memory()
        if next_due == _DELETED:
            self._warn_of_deleted_key()
        if next_due >= 0:
            seconds = min(seconds, next_due / 1000)
        interval = self.options.claim_interval / 1000
        until_claim = self._claim_at - time.monotonic() if self._claim_at > 0 else interval
        seconds = max(0.001, min(seconds, until_claim, self._watch.seconds))
        block = ("BLOCK", max(1, round(seconds * 1000)))
        return WaitCondition((self.connection.begin(self._read_command(limit, *block), seconds), *fds), seconds)

    def end_wait(self) -> list[AnyEnvelope]:
        """What the server has handed out since `begin_wait`."""
        try:
            reply = self.connection.end()
        except RedisReplyError as error:
            if error.code not in _GROUP_IS_GONE:
                raise
            return []  # the read that follows makes the group again
        return self._from_reply(reply)

    def _move_without_memory(self) -> int:
        """Above maxmemory: what is moved is handled and deleted, and that frees the memory."""
        next_due: int = Script("move_due", __package__, without_memory=True).run(self.connection, *self._moving)
        return next_due

    def _warn_of_deleted_key(self) -> None:
        log.warning("key_deleted transport=%s key=%s: it was of another type", self.name, self.options.queue)

    def _read_command(self, limit: int, *block: str | int) -> tuple[str | int, ...]:
        who = (self.options.group, self.consumer)
        return ("XREADGROUP", "GROUP", *who, "COUNT", limit, *block, "STREAMS", self.options.stream, ">")

    def _from_reply(self, reply: Any) -> list[AnyEnvelope]:
        entries: Iterable[Entry] = reply[0][1] if reply else ()
        return self._received(zip(entries, repeat(1)))

    # --- abandoned messages ----------------------------------------------------------------------------------------

    def claim(self, limit: int) -> list[AnyEnvelope]:
        """Take over up to `limit` messages whose holders have shown no sign of life.

        XAUTOCLAIM over all pending entries. The next look is only after `claim_interval`, unless this one
        found as many as it may.
        """
        now = time.monotonic()
        found: list[Entry] = []
        for _ in range(_CLAIM_PASSES):
            found += self._claim_page(limit - len(found))
            if len(found) >= limit:
                return self._taken_over(found)
            if self._claim_cursor == b"0-0":
                break
        self._claim_at = now + self.options.claim_interval / 1000
        self._put_clock_right.run(self.connection, self._keys[:1], (self.options.group,))
        self._reap()
        self.groups.look()
        return self._taken_over(found)

    def _claim_page(self, count: int) -> list[Entry]:
        idle = self.options.redeliver_timeout * 1000
        who = (self.options.group, self.consumer)
        command = ("XAUTOCLAIM", self.options.stream, *who, idle, self._claim_cursor, "COUNT", count)
        self._claim_cursor, entries, *deleted = self.connection.call(*command)
        for entry_id in deleted[0] if deleted else ():
            what = "deleted from the stream while it was being handled"
            log.error("message_gone transport=%s id=%s: %s", self.name, entry_id.decode(), what)
        return [(entry[0], entry[1]) for entry in entries if entry is not None and entry[1] is not None]

    def _taken_over(self, entries: Sequence[Entry]) -> list[AnyEnvelope]:
        if not entries:
            return []
        pending = ("XPENDING", self.options.stream, self.options.group)
        counts = self.connection.pipeline([(*pending, entry[0], entry[0], 1) for entry in entries])
        found = [(entry, count[0][3] if count else 2) for entry, count in zip(entries, counts, strict=True)]
        return self._received(found)

    def _reap(self) -> None:
        idle = max(_REAP_SECONDS, 2 * self.options.redeliver_timeout) * 1000
        gone = self._reap_consumers.run(self.connection, self._keys[:1], (self.options.group, "", idle))
        for consumer in gone:
            log.info("consumer_removed transport=%s consumer=%s", self.name, consumer.decode(errors="replace"))

    def close(self) -> None:
        """Close the connection for notifications of delayed messages."""
        self._watch.close()

    def leave(self) -> None:
        """Remove this consumer if it has no messages.

        Raises:
            TransportError: Redis refused.
        """
        self._reap_consumers.run(self.connection, self._keys[:1], (self.options.group, self.consumer, 0))

    def _received(self, entries: Iterable[tuple[Entry, int]]) -> list[AnyEnvelope]:
        """The envelopes of entries and how often each was handed out, without what is meant for another group."""
        taken: list[AnyEnvelope] = []
        for (entry_id, fields), deliveries in entries:
            is_plain = fields and len(fields) == 2 and fields[0] == b"message"
            value = fields[1] if fields and is_plain else entry_value(fields)
            if HEADER_IN_JSON in value and is_for_another(value, self.options):
                self.groups.pass_over(entry_id)
                continue
            stamps = (TransportMessageIdStamp(entry_id.decode()), DeliveryStamp(deliveries))
            unread = 0 < self.max_deliveries < deliveries
            envelope = self.serializer.decode_stored(value, unread=unread)
            if self.groups.several:
                envelope = self.groups.mark(envelope)
            taken.append(envelope.with_stamps(*stamps))
        return taken
