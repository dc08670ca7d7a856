"""What a message meets when it is sent, besides being stored: limits of size and number, and replicas to wait for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from messenger.envelope import AnyEnvelope
from messenger.errors import TransportError
from messenger.stamps import RedeliveryStamp
from messenger.transports.redis import server_limit
from messenger.transports.redis.link import RedisLink, RedisReplyError
from messenger.transports.redis.options import RedisOptions
from messenger.transports.size_limit import check_size, was_accepted

if TYPE_CHECKING:
    from messenger.transports.redis.bounded import BoundedStream


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
            limit = server_limit.server_limit(self._link, len(payload))
            check_size(envelope, len(payload), limit, f"{server_limit.NAME} of {self._options.address}")
            raise
        if self._options.wait_replicas and not was_accepted(envelope):
            from messenger.transports.redis.replicas import wait_for_replicas

            wait_for_replicas(self._name, self._link, self._options, message_id)
        return message_id

    def _make_bounded(self) -> BoundedStream:
        from messenger.transports.redis.bounded import BoundedStream

        return BoundedStream(self._name, self._link, self._options)

    def acknowledged(self) -> None:
        """A message was handled."""
        if self._bounded is not None:
            self._bounded.acknowledged()
