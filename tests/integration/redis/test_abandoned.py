"""Messages whose worker died, hangs, or came back."""

from __future__ import annotations

import logging
from typing import cast

import pytest
import redis

from messenger.stamps import DelayStamp, RedeliveryStamp
from messenger.transports.base import Depth
from tests.integration.redis.conftest import Open
from tests.integration.redis.orders import deliveries, look_for, number_of, order, take

QUICK = "/orders?redeliver_timeout=1&claim_interval=100"


def idle(client: redis.Redis, entry_id: str, consumer: str, milliseconds: int) -> None:
    """Make a pending entry look as if its consumer had been silent for so long."""
    client.xclaim("orders", "symfony", consumer, 0, [entry_id], idle=milliseconds, justid=True)


def pending(client: redis.Redis) -> list[tuple[str, int]]:
    """Consumer and delivery count of each pending entry, oldest first."""
    found = cast("list[dict[str, object]]", client.xpending_range("orders", "symfony", "-", "+", 100))
    return [(cast("bytes", entry["consumer"]).decode(), cast("int", entry["times_delivered"])) for entry in found]


def ids(client: redis.Redis) -> list[str]:
    return [entry_id.decode() for entry_id, _ in cast("list[tuple[bytes, object]]", client.xrange("orders"))]


def test_all_that_a_dead_worker_held_are_recovered_in_one_go(opened: Open, client: redis.Redis) -> None:
    dead, alive = opened(worker="dead"), opened("/orders?claim_interval=3600000", worker="alive")
    for number in range(5):
        dead.send(order(number))
        take(dead)
    for entry_id in ids(client):
        idle(client, entry_id, "dead", 61_000)
    recovered = [alive.get(0, lambda: False) for _ in range(5)]  # no time passes for another claim interval
    assert [number_of(envelope) for (envelope,) in recovered] == list(range(5))
    assert [deliveries(envelope) for (envelope,) in recovered] == [2] * 5


def test_an_old_one_still_worked_on_does_not_hide_younger_abandoned_ones(opened: Open, client: redis.Redis) -> None:
    busy, dead, alive = opened(worker="busy"), opened(worker="dead"), opened(worker="alive")
    for number in range(4):
        busy.send(order(number))
    take(busy)
    for _ in range(3):
        take(dead)
    for entry_id in ids(client)[1:]:
        idle(client, entry_id, "dead", 61_000)
    assert [number_of(take(alive)) for _ in range(3)] == [1, 2, 3]
    assert alive.get(0, lambda: False) == []
    assert pending(client)[0] == ("busy", 1)


def test_what_is_silent_for_less_than_the_timeout_is_left_alone(opened: Open, client: redis.Redis) -> None:
    slow, other = opened(worker="slow"), opened(worker="other")
    slow.send(order(1))
    take(slow)
    idle(client, ids(client)[0], "slow", 55_000)
    assert other.get(0, lambda: False) == []


def test_every_crash_is_counted(opened: Open, client: redis.Redis) -> None:
    for number, count in enumerate([1, 2, 3, 4]):
        worker = opened(worker=f"w{number}")
        if number == 0:
            worker.send(order(1))
        else:
            idle(client, ids(client)[0], f"w{number - 1}", 61_000)
        assert deliveries(take(worker)) == count


def test_keepalive_resets_the_idle_time_and_not_the_count(opened: Open, client: redis.Redis) -> None:
    busy, other = opened(worker="busy"), opened(worker="other")
    busy.send(order(1))
    held = take(busy)
    idle(client, ids(client)[0], "busy", 61_000)
    busy.keepalive(held)
    assert other.get(0, lambda: False) == []
    assert pending(client) == [("busy", 1)]


def test_a_zombies_keepalive_does_not_take_the_message_back(opened: Open, client: redis.Redis) -> None:
    zombie, holder = opened(worker="zombie"), opened(worker="holder")
    zombie.send(order(1))
    lost = take(zombie)
    idle(client, ids(client)[0], "zombie", 61_000)
    take(holder)
    zombie.keepalive(lost)
    assert pending(client) == [("holder", 2)]


@pytest.mark.parametrize("delay", [0, 60_000])
def test_a_zombies_retry_is_refused(
    opened: Open, client: redis.Redis, caplog: pytest.LogCaptureFixture, delay: int
) -> None:
    zombie, holder = opened(worker="zombie"), opened(worker="holder")
    zombie.send(order(1))
    lost = take(zombie)
    idle(client, ids(client)[0], "zombie", 61_000)
    held = take(holder)
    zombie.requeue(lost, lost.with_stamps(DelayStamp(delay), RedeliveryStamp(1)))
    zombie.reject(lost)
    assert pending(client) == [("holder", 2)]
    assert (client.xlen("orders"), client.zcard("orders__queue")) == (1, 0)
    assert caplog.text.count("lease_lost") == 2
    holder.ack(held)
    assert holder.depth() == Depth(0, 0, 0)


def test_an_entry_deleted_while_pending_is_reported_and_forgotten(
    opened: Open, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    dead, alive = opened(worker="dead"), opened(worker="alive")
    for number in range(2):
        dead.send(order(number))
        take(dead)
    gone, kept = ids(client)
    idle(client, gone, "dead", 61_000)
    idle(client, kept, "dead", 61_000)
    client.xdel("orders", gone)
    with caplog.at_level(logging.ERROR):
        assert number_of(take(alive)) == 1
    assert f"message_gone transport=orders id={gone}" in caplog.text
    assert [consumer for consumer, _ in pending(client)] == ["alive"]


def test_its_own_message_comes_back_to_a_worker_that_hung(opened: Open) -> None:
    worker = opened(QUICK)
    worker.send(order(1))
    take(worker)
    again = look_for(worker, 20)
    assert again is not None
    assert deliveries(again) == 2
