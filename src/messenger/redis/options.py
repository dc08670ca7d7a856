"""What a Redis transport needs to know. Where a default differs from Symfony's, the reason is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from messenger.printable import printable_line

Place = tuple[str, int]
"""Host and port."""
_LONGEST_ADDRESS = 500  # characters


@dataclass(frozen=True, slots=True)
class RedisOptions:
    """The options of a Redis transport.

    Attributes:
        stream_full: What happens when the stream has stream_max_entries unhandled entries: "refuse", or "block" for
            stream_full_timeout seconds.
        max_message_bytes: Limit for a new message as it is stored; 0 means no limit.
        wait_replicas: Number of replicas that must confirm a new message within wait_replicas_timeout seconds.
        redeliver_timeout: Seconds without a renewal after which another worker may take over a message.
        claim_interval: Milliseconds between two searches for such messages.
        timeout: Seconds to connect; 0 means no limit.
        read_timeout: Seconds to wait for a reply; 0 means no limit.
        retry_interval: Milliseconds before connecting again.
        serializer: 0 writes bare JSON, 1 the phpredis wrapper around it. Both are always read.
        nodes: Nodes of a Redis Cluster, to ask for the one that holds `stream`; empty without a cluster.
    """

    host: str = "127.0.0.1"
    port: int = 6379
    stream: str = "messages"
    group: str = "symfony"
    # None: a name of this process alone. Symfony's default "consumer" lets two workers take each other's messages.
    consumer: str | None = None
    auto_setup: bool = True
    delete_after_ack: bool = True
    delete_after_reject: bool = True
    stream_max_entries: int = 0
    # Symfony drops the oldest messages of a full stream, handled or not.
    stream_full: str = "refuse"
    stream_full_timeout: float = 10.0
    max_message_bytes: int = 0
    wait_replicas: int = 0
    wait_replicas_timeout: float = 1.0
    dbindex: int = 0
    # Symfony waits 3600 s; a minute is safe here because the lease is renewed while a handler runs.
    redeliver_timeout: int = 60
    # Symfony looks once a minute, and finds one message then.
    claim_interval: int = 5000
    lazy: bool = False
    # Symfony's 1 wraps the value; PHP reads bare JSON under 0 and 1 alike, so bare is what is written by default.
    serializer: int = 0
    # Symfony has no limits here; a worker that hangs on a dead connection consumes nothing. 0: no limit.
    timeout: float = 5.0
    read_timeout: float = 10.0
    retry_interval: int = 0
    sentinel_master: str | None = None
    sentinels: tuple[Place, ...] = ()
    nodes: tuple[Place, ...] = ()
    socket_path: str | None = None
    tls: bool = False
    ssl: Mapping[str, Any] = field(default_factory=dict, repr=False)
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def queue(self) -> str:
        """The sorted set of the delayed messages."""
        return f"{self.stream}__queue"

    @property
    def address(self) -> str:
        """Where this Redis is, for people: one line. No secrets."""
        if self.sentinel_master:
            found = f"redis master {self.sentinel_master!r} (sentinels {_listed(self.sentinels)})"
            return printable_line(found, _LONGEST_ADDRESS)
        place = f"at {self.socket_path or _listed([(self.host, self.port)])}"
        place = f"cluster at {_listed(self.nodes)}" if self.nodes else place
        details = [f"db {self.dbindex}"] + ["TLS"] * self.tls + [f"user {self.user}"] * bool(self.user)
        return printable_line(f"redis {place} ({', '.join(details)})", _LONGEST_ADDRESS)


def _listed(places: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{host}:{port}" for host, port in places)
