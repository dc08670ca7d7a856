"""Groups of one stream that come and go, and what each of them sees."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from messenger import RedeliveryStamp, TransportError
from tests.integration.redis.conftest import Open
from tests.integration.redis.groups import NAMES, OFTEN, SELDOM, nothing_comes, opened_groups
from tests.integration.redis.orders import LONG, deliveries, number_of, order, take
from tests.support.servers import wait_until

# --- groups that come and go ------------------------------------------------------------------------------------


def test_a_group_made_later_at_0_gets_what_is_still_there(opened: Open, client: redis.Redis) -> None:
    one = opened(f"/orders/one?{SELDOM}")
    for number in range(3):
        one.send(order(number))
    one.ack(take(one))
    held = take(one)
    client.xgroup_create("orders", "two", "0")
    one.ack(held)  # it has not noticed the second group, and does not need to
    two = opened("/orders/two")
    assert [number_of(take(two)) for _ in range(2)] == [1, 2]
    assert number_of(take(one)) == 2


def test_a_group_made_later_at_the_end_holds_up_nothing_older(opened: Open, client: redis.Redis) -> None:
    one = opened("/orders/one")
    one.send(order(1))
    client.xgroup_create("orders", "two", "$")
    one.ack(take(one))
    assert client.xlen("orders") == 0
    one.send(order(2))
    one.ack(take(one))
    assert client.xlen("orders") == 1
    two = opened("/orders/two")
    assert number_of(take(two)) == 2


@pytest.mark.parametrize("count", [3, 250])
def test_when_an_operator_destroys_a_group_what_it_held_up_goes(opened: Open, client: redis.Redis, count: int) -> None:
    one, two, _ = opened_groups(opened, NAMES)
    for number in range(count):
        one.send(order(number))
        for group in (one, two):
            group.ack(take(group))
    one.send(order(count))
    assert client.xlen("orders") == count + 1
    client.xgroup_destroy("orders", "three")
    two.get(0, lambda: False, limit=1)
    wait_until(lambda: nothing_comes(two) and client.xlen("orders") == 1, LONG, "what all have handled is gone")
    assert number_of(take(one)) == count


def test_after_the_last_other_group_is_gone_the_rest_is_swept_as_well(opened: Open, client: redis.Redis) -> None:
    one, _ = opened_groups(opened, NAMES[:2])
    for number in range(2500):
        one.send(order(number))
    for envelope in one.get(LONG, lambda: False, 2500):
        one.ack(envelope)
    assert client.xlen("orders") == 2500
    client.xgroup_destroy("orders", "two")
    wait_until(lambda: nothing_comes(one) and client.xlen("orders") == 0, LONG, "the stream is empty")
    assert not one._groups.several


def test_sweeping_leaves_what_is_worked_on_and_what_is_unread(opened: Open, client: redis.Redis) -> None:
    one, two, _ = opened_groups(opened, NAMES)
    for number in range(6):
        one.send(order(number))
    held = [take(one) for _ in range(5)]
    for envelope in held[1:]:
        one.ack(envelope)
    for _ in range(4):
        two.ack(take(two))
    client.xgroup_destroy("orders", "three")
    wait_until(lambda: nothing_comes(one) and client.xlen("orders") == 3, LONG, "what both have handled is gone")
    one.ack(held[0])
    assert [number_of(take(two)) for _ in range(2)] == [4, 5]


def test_with_delete_after_ack_off_nothing_is_swept(opened: Open, client: redis.Redis) -> None:
    one, two = opened_groups(opened, NAMES[:2], f"{OFTEN}&delete_after_ack=false")
    one.send(order(1))
    for group in (one, two):
        group.ack(take(group))
        group._groups.look()
    assert client.xlen("orders") == 1


# --- what each group sees ---------------------------------------------------------------------------------------


def test_each_group_counts_its_own(opened: Open, client: redis.Redis) -> None:
    one, two, three = opened_groups(opened, NAMES)
    for number in range(6):
        one.send(order(number))
    for _ in range(3):
        one.ack(take(one))
    failed = take(one)
    one.requeue(failed, failed.with_stamps(RedeliveryStamp(1)))
    take(two)
    depths = [group.depth() for group in (one, two, three)]
    assert [(depth.ready, depth.in_flight) for depth in depths] == [(3, 0), (5, 1), (6, 0)]
    assert [[number_of(envelope) for envelope in group.all(10)] for group in (one, two, three)] == [
        [4, 5, 3],
        [0, 1, 2, 3, 4, 5],
        [0, 1, 2, 3, 4, 5],
    ]
    assert [(held.consumer, held.count) for held in two.in_flight()] == [("w-two", 1)]
    assert one.in_flight() == []


def test_a_group_does_not_find_what_is_done_or_not_for_it(opened: Open, client: redis.Redis) -> None:
    one, two = opened_groups(opened, NAMES[:2])
    first = one.send(order(1)).id
    assert first is not None
    one.ack(take(one))
    assert one.find(first) is None
    assert two.find(first) is not None
    one.send(order(2))
    held = take(one)
    one.requeue(held, held.with_stamps(RedeliveryStamp(1)))
    entries: Any = client.xrange("orders")
    retried = entries[-1][0].decode()
    assert two.find(retried) is None
    assert one.find(retried) is not None


def test_what_a_group_has_not_read_it_cannot_take_from_the_others(opened: Open, client: redis.Redis) -> None:
    one, two = opened_groups(opened, NAMES[:2])
    sent = one.send(order(1)).id
    assert sent is not None
    found = one.find(sent)
    assert found is not None
    refusal = "cannot be {}: group 'one' has not read it yet, and other groups of stream 'orders' need it"
    with pytest.raises(TransportError, match=refusal.format("removed")):
        one.reject(found)
    with pytest.raises(TransportError, match=refusal.format("put back")):
        one.requeue(found, found.with_stamps(RedeliveryStamp(1)))
    assert client.xlen("orders") == 1
    two.ack(take(two))
    one.reject(found)
    assert client.xlen("orders") == 0


def test_what_a_group_has_handled_meanwhile_is_gone_for_it_and_not_for_the_others(
    opened: Open, client: redis.Redis
) -> None:
    one, two = opened_groups(opened, NAMES[:2])
    sent = one.send(order(1)).id
    assert sent is not None
    found = one.find(sent)
    assert found is not None
    one.ack(take(one))
    one.reject(found)
    one.requeue(found, found.with_stamps(RedeliveryStamp(1)))
    assert client.xlen("orders") == 1
    assert number_of(take(two)) == 1


def test_a_lost_lease_is_refused_in_each_group_alone(opened: Open, client: redis.Redis) -> None:
    opened_groups(opened, NAMES[:2])
    quickly = "/orders/one?redeliver_timeout=1&claim_interval=1"
    slow, quick = (opened(quickly, worker=name) for name in ("slow", "quick"))
    two = opened("/orders/two")
    slow.send(order(1))
    held = take(slow)
    other = take(two)
    taken = take(quick)
    assert deliveries(taken) == 2
    slow.reject(held)
    slow.requeue(held, held.with_stamps(RedeliveryStamp(1)))
    assert client.xlen("orders") == 1
    quick.ack(taken)
    two.requeue(other, other.with_stamps(RedeliveryStamp(1)))
    assert number_of(take(two)) == 1
    assert nothing_comes(slow)
