"""Redis Cluster: all keys of a transport lie in one slot; the connection follows that slot."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import redis
from redis.crc import key_slot

from messenger.errors import ConfigError
from messenger.redis.connection import RedisConnection, RedisReplyError
from messenger.redis.driver import Argument, DriverConnection, open_connection
from messenger.redis.options import Place, RedisOptions

_HASH_TAG = re.compile(r"[^{]*\{[^}]+\}")
_REDIRECTIONS = ("MOVED", "ASK")
_HOPS = 5


def check_stream_name(transport: str, stream: str) -> None:
    """Raise ConfigError for a stream without a hash tag: its delayed messages would lie on another node."""
    if not _HASH_TAG.match(stream):
        raise ConfigError(
            f"transports.{transport}: stream {stream!r} in a Redis Cluster: the stream and the keys beside it must lie "
            f"in one slot, so its name needs a hash tag; allowed: {{{re.sub('[{}]', '', stream) or 'messages'}}}"
        )


class ClusterConnection(RedisConnection):
    """A connection to the node that holds the slot of `options.stream`; no other key is asked for.

    Nodes are asked for it (CLUSTER SLOTS) each time it connects, so it follows a failover; and it follows what a node
    says of a slot that has moved (MOVED) or is being moved (ASK).
    """

    def __init__(self, options: RedisOptions) -> None:
        super().__init__(options)
        self._slot = key_slot(options.stream.encode())
        self._nodes: Sequence[Place] = options.nodes
        self._host = ""

    @property
    def server(self) -> RedisOptions:
        """The node, once this is connected."""
        if self._connection is None:
            return self._options
        return replace(self._options, nodes=(), host=self._connection.host, port=self._connection.port)

    def exchange(self, commands: Sequence[Sequence[Argument]]) -> list[Any]:
        """See RedisConnection; what another node must be asked is asked there."""
        replies = super().exchange(commands)
        for _ in range(_HOPS):
            redirected = [index for index, reply in enumerate(replies) if _redirects(reply)]
            if not redirected:
                return replies
            first = replies[redirected[0]]
            if commands[0][0] == "MULTI":  # all of it or nothing
                redirected = list(range(len(commands)))
            again = self._ask_there(first, [commands[index] for index in redirected])
            for index, reply in zip(redirected, again, strict=True):
                replies[index] = reply
        raise self._lost(redis.ConnectionError(f"its nodes send each other's way for slot {self._slot}"))

    def end(self) -> Any:
        """See RedisConnection; nothing when the slot has moved away meanwhile."""
        try:
            return super().end()
        except RedisReplyError as error:
            if error.code == "ASK":
                raise self._lost(redis.ConnectionError(f"slot {self._slot} is being moved")) from error
            if error.code != "MOVED":
                raise
            self._turn_to(self._place_in(error))
            return None

    def _ask_there(self, redirection: RedisReplyError, commands: list[Sequence[Argument]]) -> list[Any]:
        place = self._place_in(redirection)
        if redirection.code == "MOVED":
            self._turn_to(place)
            return super().exchange(commands)
        other = RedisConnection(self._options, place)
        asking: Sequence[Argument] = ("ASKING",)
        try:
            if commands[0][0] == "MULTI":
                return other.exchange([asking, *commands])[1:]
            return other.exchange([each for command in commands for each in (asking, command)])[1::2]
        finally:
            other.close()
            self.close()  # what was written there cannot be confirmed here (WAIT)

    def _turn_to(self, place: Place) -> None:
        self.close()
        self._place = place

    def _place_in(self, redirection: RedisReplyError) -> Place:
        """Its last word is host:port; without a host it is that of the node which says so."""
        host, _, port = str(redirection).rsplit(" ", 1)[1].rpartition(":")
        return host or self._host, int(port)

    # --- which node ------------------------------------------------------------------------------------------------

    def _open(self) -> DriverConnection:
        """A connection to the node that a redirection named, or that a reachable node says holds the slot."""
        place, self._place = self._place, None
        if place is not None:
            return self._open_at(place)
        errors: list[Exception] = []
        for node in self._nodes:
            try:
                return self._open_at(self._holder(node))
            except (redis.RedisError, OSError) as error:
                errors.append(error)
        for refused in errors:
            if isinstance(refused, redis.AuthenticationError):
                raise refused
        raise redis.ConnectionError("; ".join(dict.fromkeys(str(each).strip().rstrip(".") for each in errors)))

    def _open_at(self, place: Place) -> DriverConnection:
        self._host = place[0]
        return open_connection(self._options, place)

    def _holder(self, node: Place) -> Place:
        """Ask one node which one holds the slot, and remember all that it knows.

        Raises redis.RedisError, OSError.
        """
        connection = open_connection(self._options, node)
        try:
            connection.send_command("CLUSTER", "SLOTS")
            ranges = connection.read_response()
        finally:
            connection.disconnect()
        found = {place: None for _, _, *nodes in ranges for place in _places(nodes, node[0])}
        self._nodes = list(dict.fromkeys((*self._options.nodes, *found)))
        for start, end, *nodes in ranges:
            if start <= self._slot <= end:
                return next(_places(nodes, node[0]))
        raise redis.ConnectionError(f"no node holds slot {self._slot}, says {node[0]}:{node[1]}")


def _places(nodes: Sequence[Sequence[Any]], asked: str) -> Iterator[Place]:
    """Return host and port of each node, the master first. A missing host is that of the node which was asked."""
    for host, port, *_ in nodes:
        name = (host or b"").decode()
        yield asked if name in ("", "?") else name, port


def _redirects(reply: object) -> bool:
    return isinstance(reply, RedisReplyError) and reply.code in _REDIRECTIONS
