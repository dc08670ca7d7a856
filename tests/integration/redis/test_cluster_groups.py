"""Several groups and a maximum in a Redis Cluster: all keys of a script lie in the slot of the stream."""

from __future__ import annotations

import pytest

from messenger import DelayStamp, RedeliveryStamp, TransportFull
from tests.integration.redis.conftest import Open
from tests.integration.redis.orders import never, number_of, order, take
from tests.support.cluster import Cluster


def test_a_retry_is_for_its_group_and_a_full_stream_refuses(opened: Open, redis_cluster: Cluster) -> None:
    dsn = redis_cluster.url("/{orders}/GROUP?claim_interval=1&stream_max_entries=1")
    one, two = (opened(dsn.replace("GROUP", group)) for group in ("one", "two"))
    for group in (one, two, one):
        group.setup()
    one.send(order(1))
    with pytest.raises(TransportFull):
        one.send(order(2))
    failed = take(one)
    one.requeue(failed, failed.with_stamps(DelayStamp(1), RedeliveryStamp(1)))
    two.ack(take(two))
    assert two.get(0.1, never) == []
    one.ack(take(one))
    assert two.get(0, never) == []
    one.send(order(2))
    assert [number_of(take(group)) for group in (one, two)] == [2, 2]
