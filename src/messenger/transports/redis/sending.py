"""Storing messages in a stream, or in the sorted set of the delayed ones."""

from __future__ import annotations

from messenger.envelope import AnyEnvelope
from messenger.redis.link import RedisReplyError
from messenger.redis.open import link_to
from messenger.redis.options import RedisOptions
from messenger.redis.scripts import Script
from messenger.transports.redis.dispatching import Dispatching
from messenger.transports.redis.groups import Groups


class Sending:
    """A connection for one thread at a time, and what is sent through it; a transport has a pool of these.

    It is another one than that of the worker, which may wait on its own for messages.
    """

    def __init__(self, name: str, options: RedisOptions, send_delayed: Script) -> None:
        """Create it; it connects at first use.

        Args:
            name: the transport's.
            send_delayed: the script for delayed messages.
        """
        self._options = options
        self._link = link_to(options)
        self._groups = Groups(name, self._link, options)
        self._dispatching = Dispatching(name, self._link, options)
        self._send_delayed = send_delayed

    def check_target(self, envelope: AnyEnvelope) -> None:
        """Raise TransportError for a message that is for one group, when that group is gone."""
        self._groups.check_target(envelope)

    def create_group(self) -> None:
        """Create stream and group where they are missing. Raises TransportError.

        A user who may only send leaves the group to the workers: it begins with the first entry of the stream. A
        key of another type is explained when the message cannot be stored.
        """
        try:
            self._link.call("XGROUP", "CREATE", self._options.stream, self._options.group, "0", "MKSTREAM")
        except RedisReplyError as error:
            if error.code not in ("BUSYGROUP", "NOPERM", "WRONGTYPE"):
                raise

    def send(self, envelope: AnyEnvelope, delay: int, payload: bytes, uniqid: str) -> str:
        """Store a message.

        Args:
            delay: milliseconds.
            payload: the bytes to store.
            uniqid: the id of a delayed message.

        Returns:
            The id of the entry, or of the delayed message.

        Raises:
            TransportError: see Dispatching.send.
        """
        return self._dispatching.send(envelope, delay, payload, lambda: self._store(delay, payload, uniqid))

    def _store(self, delay: int, payload: bytes, uniqid: str) -> str:
        if delay > 0:
            self._send_delayed.run(self._link, (self._options.queue,), (delay, payload))
            return uniqid
        entry_id: bytes = self._link.call("XADD", self._options.stream, "*", "message", payload)
        return entry_id.decode()

    def close(self) -> None:
        """Drop the connection."""
        self._link.close()
