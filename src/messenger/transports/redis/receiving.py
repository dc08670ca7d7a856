"""Taking messages from the stream: due delayed ones are moved in, abandoned ones are taken over, new ones are read."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from messenger.envelope import AnyEnvelope
from messenger.errors import TransportError
from messenger.stamps import DeliveryStamp, TransportMessageIdStamp
from messenger.transports.base import Waiting
from messenger.transports.redis.groups import Groups, is_for_another
from messenger.transports.redis.inspect import Decode, entry_value
from messenger.transports.redis.link import RedisLink, RedisReplyError
from messenger.transports.redis.options import RedisOptions
from messenger.transports.redis.scripts import Script, missing, refused

log = logging.getLogger(__name__)
_MOVE_AT_ONCE = 100
_REAP_SECONDS = 3600
_CLAIM_PASSES = 50
# What a blocked XREADGROUP is told when the group or the whole stream goes away.
_GROUP_IS_GONE = ("NOGROUP", "UNBLOCKED")
Entry = tuple[bytes, list[bytes] | None]


class Reader:
    """One consumer of one group.

    name: the transport's. decode: a stored value as an envelope. make_group: creates stream and group.
    groups: told of each look for abandoned messages.
    """

    def __init__(
        self,
        name: str,
        link: RedisLink,
        options: RedisOptions,
        consumer: str,
        decode: Decode,
        make_group: Callable[[], None],
        groups: Groups,
    ) -> None:
        self._name = name
        self._link = link
        self._options = options
        self._consumer = consumer
        self._decode = decode
        self._make_group = make_group
        self._groups = groups
        self._stream = options.stream
        self._keys = (options.stream, options.queue)
        self._claim_at: float | None = None
        self._claim_cursor = b"0-0"
        self._move_due = Script("move_due")
        self._reap_consumers = Script("reap_consumers")

    # --- new messages ----------------------------------------------------------------------------------------------

    def read(self, limit: int) -> list[AnyEnvelope]:
        """Up to `limit` new messages; one round trip: move what is due, then read."""
        moved, reply = self._link.exchange([self._move_due.command(*self._moving()), self._read_command(limit)])
        if missing(moved):
            moved = self._try_to_move()
            reply = reply or self._link.exchange([self._read_command(limit)])[0]  # nothing was moved before it
        if refused(reply, "NOGROUP"):
            self._restore_group()
            reply = self._link.call(*self._read_command(limit))
        if isinstance(reply, TransportError):
            raise reply
        if isinstance(moved, TransportError) and not reply:  # what was handed out is ours: the next look tells
            raise moved
        return self._from_reply(reply)

    def _try_to_move(self) -> Any:
        """What the script says, or the error: messages may have been handed out already."""
        try:
            return self._move_due.run(self._link, *self._moving())
        except TransportError as error:
            return error

    def begin_wait(self, seconds: float, limit: int) -> Waiting:
        """Move what is due, then ask for the next messages and do not wait for the reply (XREADGROUP … BLOCK)."""
        next_due = self._move_due.run(self._link, *self._moving())
        if next_due >= 0:
            seconds = min(seconds, next_due / 1000)
        seconds = max(0.001, min(seconds, self._until_claim()))
        block = ("BLOCK", max(1, round(seconds * 1000)))
        return Waiting(self._link.begin(self._read_command(limit, *block), seconds), seconds)

    def end_wait(self) -> list[AnyEnvelope]:
        """What the server has handed out since `begin_wait`."""
        try:
            reply = self._link.end()
        except RedisReplyError as error:
            if error.code not in _GROUP_IS_GONE:
                raise
            self._restore_group()
            return []
        return self._from_reply(reply)

    def _moving(self) -> tuple[Sequence[str], Sequence[int]]:
        return self._keys, (_MOVE_AT_ONCE, self._options.serializer)

    def _read_command(self, limit: int, *block: str | int) -> tuple[str | int, ...]:
        who = (self._options.group, self._consumer)
        return ("XREADGROUP", "GROUP", *who, "COUNT", limit, *block, "STREAMS", self._stream, ">")

    def _restore_group(self) -> None:
        log.warning("group_recreated transport=%s stream=%s: it was gone", self._name, self._stream)
        self._make_group()

    def _from_reply(self, reply: Any) -> list[AnyEnvelope]:
        entries: Iterable[Entry] = reply[0][1] if reply else ()
        return self._received((entry, 1) for entry in entries)

    # --- abandoned messages ----------------------------------------------------------------------------------------

    def claim(self, limit: int) -> list[AnyEnvelope]:
        """Take over up to `limit` messages whose holders have shown no sign of life.

        XAUTOCLAIM over all pending entries (R1, R2). The next look is only after `claim_interval`, unless this one
        found as many as it may.
        """
        now = time.monotonic()
        if self._claim_at is not None and now < self._claim_at:
            return []
        found: list[Entry] = []
        for _ in range(_CLAIM_PASSES):
            found += self._claim_page(limit - len(found))
            if len(found) >= limit:
                return self._taken_over(found)
            if self._claim_cursor == b"0-0":
                break
        self._claim_at = now + self._options.claim_interval / 1000
        self._reap()
        self._groups.look()
        return self._taken_over(found)

    def _until_claim(self) -> float:
        interval = self._options.claim_interval / 1000
        return interval if self._claim_at is None else self._claim_at - time.monotonic()

    def _claim_page(self, count: int) -> list[Entry]:
        idle = self._options.redeliver_timeout * 1000
        command = ("XAUTOCLAIM", self._stream, self._options.group, self._consumer, idle, self._claim_cursor)
        reply = self._link.exchange([(*command, "COUNT", count)])[0]
        if refused(reply, "NOGROUP"):
            self._claim_cursor = b"0-0"
            return []
        if isinstance(reply, TransportError):
            raise reply
        self._claim_cursor, entries, *deleted = reply
        for entry_id in deleted[0] if deleted else ():
            what = "deleted from the stream while it was being handled"
            log.error("message_gone transport=%s id=%s: %s", self._name, entry_id.decode(), what)
        return [(entry[0], entry[1]) for entry in entries if entry is not None and entry[1] is not None]

    def _taken_over(self, entries: Sequence[Entry]) -> list[AnyEnvelope]:
        if not entries:
            return []
        pending = ("XPENDING", self._stream, self._options.group)
        counts = self._link.pipeline([(*pending, entry[0], entry[0], 1) for entry in entries])
        return self._received(
            (entry, count[0][3] if count else 2) for entry, count in zip(entries, counts, strict=True)
        )

    def _reap(self) -> None:
        idle = max(_REAP_SECONDS, 2 * self._options.redeliver_timeout) * 1000
        try:
            gone = self._reap_consumers.run(self._link, self._keys[:1], (self._options.group, "", idle))
        except RedisReplyError as error:
            if error.code != "NOGROUP":
                raise
            return  # the read that follows makes the group again
        for consumer in gone:
            log.info("consumer_removed transport=%s consumer=%s", self._name, consumer.decode(errors="replace"))

    def leave(self) -> None:
        """Remove this consumer, if it holds nothing. Raises TransportError."""
        self._reap_consumers.run(self._link, self._keys[:1], (self._options.group, self._consumer, 0))

    def _received(self, entries: Iterable[tuple[Entry, int]]) -> list[AnyEnvelope]:
        """The envelopes of entries and how often each was handed out, without what is meant for another group."""
        taken: list[AnyEnvelope] = []
        for (entry_id, fields), deliveries in entries:
            value = entry_value(fields)
            if is_for_another(value, self._options):
                self._groups.pass_over(entry_id)
                continue
            stamps = (TransportMessageIdStamp(entry_id.decode()), DeliveryStamp(deliveries))
            taken.append(self._groups.mark(self._decode(value)).with_stamps(*stamps))
        return taken
