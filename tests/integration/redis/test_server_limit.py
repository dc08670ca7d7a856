"""A value that is too large for the server: Redis cuts the connection, the application gets the reason."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from messenger import DelayStamp, MessageTooLarge, RedeliveryStamp, TransportError, TransportUnavailable
from tests.integration.redis.conftest import Open
from tests.integration.redis.orders import number_of, order, take

MEGABYTE = 1024 * 1024


@pytest.fixture(autouse=True)
def _small_values(client: redis.Redis) -> Iterator[None]:
    """The server takes no value of more than 1 MiB; the default is 512 MiB."""
    client.config_set("proto-max-bulk-len", MEGABYTE)
    yield
    client.config_set("proto-max-bulk-len", 512 * MEGABYTE)


@pytest.mark.parametrize("stamps", [(), (DelayStamp(60_000),)])
@pytest.mark.parametrize("megabytes", [2, 40])
def test_it_is_refused_plainly_and_the_next_message_goes_through(
    opened: Open, client: redis.Redis, stamps: tuple[DelayStamp, ...], megabytes: int
) -> None:
    transport = opened()
    transport.setup()
    with pytest.raises(MessageTooLarge) as caught:
        transport.send(order(1, "x" * megabytes * MEGABYTE).with_stamps(*stamps))
    assert f"proto-max-bulk-len of {transport.options.address} allows 1,048,576: " in str(caught.value)
    assert (client.xlen("orders"), client.zcard("orders__queue")) == (0, 0)
    transport.send(order(2))
    assert number_of(take(transport)) == 2


def test_a_retry_is_not_given_up_as_too_large(opened: Open) -> None:
    with pytest.raises(TransportError):  # a worker keeps the message and tries again
        opened().send(order(1, "x" * 2 * MEGABYTE).with_stamps(RedeliveryStamp(1)))


def test_a_server_that_is_away_is_not_taken_for_one_that_refuses(opened: Open) -> None:
    with pytest.raises(TransportUnavailable, match="Connection refused"):
        opened("redis://127.0.0.1:1/orders?auto_setup=false").send(order(1, "x" * 2 * MEGABYTE))
