"""The largest value that a Redis takes: it breaks off in the middle of a larger one and closes the connection."""

from __future__ import annotations

from messenger.errors import TransportUnavailable
from messenger.transports.redis.link import RedisLink, RedisReplyError

NAME = "proto-max-bulk-len"
_SMALLEST = 1024 * 1024  # Redis takes no lower setting
_DEFAULT = 512 * 1024 * 1024


def server_limit(link: RedisLink, size: int) -> int:
    """Bytes; 0 when a value of this size cannot be what it refused. CONFIG GET; refused: Redis' default."""
    if size <= _SMALLEST:
        return 0
    link.close()  # the server is closing it, perhaps not at once
    try:
        return int(link.call("CONFIG", "GET", NAME)[1])
    except RedisReplyError:
        return _DEFAULT
    except TransportUnavailable:
        return 0
