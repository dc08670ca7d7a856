"""Several groups on the stream `orders`, and a few ways to look at them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest
import redis

from messenger.transports.redis.transport import RedisTransport
from messenger.wire.serializer import decode_value
from tests.integration.redis.conftest import Open

NAMES = ("one", "two", "three")
TWO_AND_THREE = pytest.mark.parametrize("names", [NAMES[:2], NAMES], ids=["2 groups", "3 groups"])
# A look for abandoned messages, and at the groups, only when a transport is set up.
SELDOM = "claim_interval=3600000"
OFTEN = "claim_interval=1"


def opened_groups(opened: Open, names: Sequence[str], query: str = OFTEN) -> list[RedisTransport]:
    transports = [opened(f"/orders/{name}?{query}", worker=f"w-{name}") for name in names]
    for transport in (*transports, *transports):  # the first one has seen no other yet
        transport.setup()
    return transports


def headers(client: redis.Redis) -> list[str | None]:
    """For which group each message of the stream is, and then each delayed one."""
    entries = cast("list[tuple[bytes, dict[bytes, bytes]]]", client.xrange("orders"))
    values = [fields[b"message"] for _, fields in entries]
    values += cast("list[bytes]", client.zrange("orders__queue", 0, -1))
    return [decode_value(value).headers.get("X-Messenger-Group") for value in values]


def nothing_comes(transport: RedisTransport) -> bool:
    return all(transport.get(0, lambda: False) == [] for _ in range(3))
