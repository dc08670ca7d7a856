"""Several consumer groups on one stream: each gets every message, and an entry goes once all have handled it.

What a group sends again is for this group alone: the header X-Messenger-Group says so while there are several groups,
and the others pass such a message over.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from messenger.envelope import AnyEnvelope, Envelope
from messenger.errors import MessageDecodingFailed, TransportError
from messenger.redis.connection import RedisConnection, RedisReplyError
from messenger.redis.options import RedisOptions
from messenger.redis.scripts import Script
from messenger.stamps import ForeignHeadersStamp, SentToFailureTransportStamp
from messenger.wire.encoded import UndecodableMessage
from messenger.wire.serializer import decode_value

log = logging.getLogger(__name__)
HEADER = "X-Messenger-Group"
HEADER_IN_JSON = f'"{HEADER}"'.encode()
"""What stands in each stored message that is for one group alone, and perhaps in others."""
_SWEEP_AT_ONCE = 100
_SWEEPS = 10


def read_groups(connection: RedisConnection, stream: str) -> list[dict[str, Any]]:
    """XINFO GROUPS; none where there is no such stream."""
    try:
        found = connection.call("XINFO", "GROUPS", stream)
    except RedisReplyError as error:
        if "no such key" not in str(error):
            raise
        return []
    return [{key.decode(): value for key, value in zip(flat[::2], flat[1::2], strict=True)} for flat in found]


def is_for_another(value: bytes, options: RedisOptions) -> bool:
    """Return True for an entry of the stream that another group has sent to itself again."""
    if HEADER_IN_JSON not in value:
        return False
    try:
        target = decode_value(value).headers.get(HEADER, "")
    except MessageDecodingFailed:
        return False
    return target.startswith(_address(options, "")) and target != _address(options, options.group)


def _address(options: RedisOptions, group: str) -> str:
    return f"{quote(options.stream, safe='')}/{quote(group, safe='')}"


class Groups:
    """The groups of one stream, as one of them sees them.

    Attributes:
        several: True when there was more than one at the last count.
    """

    def __init__(self, name: str, connection: RedisConnection, options: RedisOptions) -> None:
        """Create it.

        Args:
            name: Name of the transport.
            connection: The connection to Redis.
            options: The options of the transport.
        """
        self.several = False
        self._name = name
        self._connection = connection
        self._options = options
        self._ack = Script("ack", __package__, prelude="groups")
        self._sweep = Script("sweep", __package__, prelude="groups")
        self._swept_to = ""

    def pass_over(self, entry_id: bytes) -> None:
        """An entry is another group's. What cannot be acknowledged now is handed out again, and passed over then."""
        log.debug("passed_over transport=%s id=%s: for another group", self._name, entry_id.decode())
        try:
            arguments = (self._options.group, entry_id, int(self._options.delete_after_ack))
            self._ack.run(self._connection, (self._options.stream,), arguments)
        except TransportError as error:
            log.debug("not_passed_over transport=%s id=%s: %s", self._name, entry_id.decode(), error)

    def mark(self, envelope: AnyEnvelope) -> AnyEnvelope:
        """With several groups: the envelope says that from now on it is for this one.

        What rests in a failure transport goes on saying for which group of another stream it is.
        """
        if not self.several or envelope.last(SentToFailureTransportStamp) is not None:
            return envelope
        headers = {**_headers(envelope), HEADER: _address(self._options, self._options.group)}
        if isinstance(envelope.message, UndecodableMessage):
            return Envelope(replace(envelope.message, headers=headers), envelope.stamps)
        return envelope.without_all(ForeignHeadersStamp).with_stamps(ForeignHeadersStamp(headers))

    def check_target(self, connection: RedisConnection, envelope: AnyEnvelope) -> None:
        """Raise TransportError when a message is for one group of this stream and that group is not there."""
        target = _headers(envelope).get(HEADER, "")
        if not target or not target.startswith(_address(self._options, "")):
            return
        names = [group["name"].decode(errors="replace") for group in read_groups(connection, self._options.stream)]
        if target not in [_address(self._options, name) for name in names]:
            raise TransportError(
                f"transport {self._name!r}: the message is for one group of stream {self._options.stream!r} "
                f"({target}), and that group is gone; create it (messenger setup-transports where it is configured), "
                "or handle the message with --now, or remove it"
            )

    def can_do_without_memory(self) -> bool:
        """Return True when the group exists, or was created although Redis is above maxmemory.

        Then Redis refuses to create a group, even an existing one. A missing one is created by a script that may run
        without memory, as Redis 7 allows: its messages are what fills the memory, and only a group can handle them.
        """
        names = [group["name"] for group in read_groups(self._connection, self._options.stream)]
        if self._options.group.encode() in names:
            return True
        create = Script("create_group", __package__, without_memory=True)
        try:
            create.run(self._connection, (self._options.stream,), (self._options.group,))
        except RedisReplyError as error:
            log.debug("group_not_created transport=%s: %s", self._name, error)
            return False
        return True

    def create(self) -> None:
        """Create stream and group (XGROUP CREATE … MKSTREAM).

        Raises:
            TransportError: Redis refused.
        """
        stream, group = self._options.stream, self._options.group
        try:
            self._connection.call("XGROUP", "CREATE", stream, group, "0", "MKSTREAM")
        except RedisReplyError as error:
            if error.code != "BUSYGROUP" and not (error.code == "OOM" and self.can_do_without_memory()):
                raise
        self.look()

    def create_again(self, refusal: RedisReplyError) -> None:
        """Create a group that is gone: else it would be refused for ever. Raises `refusal` when it is another one."""
        if refusal.code != "NOGROUP":
            raise refusal
        log.warning("group_recreated transport=%s stream=%s: it was gone", self._name, self._options.stream)
        self.create()

    def look(self) -> None:
        """Count the groups, and delete some of the entries that all of them have handled and that are still there.

        Raises:
            TransportError: Redis refused.
        """
        had_several, self.several = self.several, len(read_groups(self._connection, self._options.stream)) > 1
        if not self._options.delete_after_ack or not (self.several or had_several or self._swept_to):
            return
        for _ in range(_SWEEPS):
            arguments = (self._swept_to or "-", _SWEEP_AT_ONCE)
            self._swept_to = self._sweep.run(self._connection, (self._options.stream,), arguments).decode()
            if not self._swept_to:
                break


def _headers(envelope: AnyEnvelope) -> dict[str, str]:
    if isinstance(envelope.message, UndecodableMessage):
        return envelope.message.headers
    stamp = envelope.last(ForeignHeadersStamp)
    return dict(stamp.headers) if stamp is not None else {}
