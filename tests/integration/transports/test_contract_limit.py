"""What every transport promises about taking several messages at once."""

from __future__ import annotations

from messenger.stamps import DelayStamp, RedeliveryStamp
from messenger.transports.base import Depth
from tests.integration.transports.stores import (
    LONG,
    Store,
    deliveries,
    kept_alive,
    listed,
    message_id,
    never,
    number_envelope,
    order_number,
    take,
    take_several,
)


def test_a_limit_takes_several_at_once_in_order(store: Store) -> None:
    transport, sender = store.open(), store.open()
    for number in range(5):
        sender.send(number_envelope(number, f"text {number}"))
    first = transport.get(LONG, never, 3)
    assert [order_number(envelope) for envelope in first] == [0, 1, 2]
    assert [deliveries(envelope) for envelope in first] == [1, 1, 1]
    assert len({message_id(envelope) for envelope in first}) == 3
    depth = transport.depth()
    assert (depth.ready, depth.in_flight) == (2, 3)
    second = transport.get(LONG, never, 3)
    assert [order_number(envelope) for envelope in second] == [3, 4], "fewer are not waited for"
    assert transport.get(0, never, 3) == []
    for envelope in (*second, *first):
        transport.ack(envelope)
    assert transport.depth() == Depth(0, 0, 0)


def test_messages_taken_together_are_settled_one_by_one(store: Store) -> None:
    transport = store.open()
    for number in range(4):
        transport.send(number_envelope(number))
    acked, rejected, requeued, kept = transport.get(LONG, never, 4)
    transport.ack(acked)
    transport.reject(rejected)
    transport.requeue(requeued, requeued.with_stamps(RedeliveryStamp(1), DelayStamp(60_000)))
    transport.hand_back(kept)
    assert sorted(order_number(envelope) for envelope in listed(transport)) == [2, 3]
    depth = transport.depth()
    # Redis counts what was handed back as in flight until somebody takes it over.
    assert (depth.ready + depth.in_flight, depth.delayed) == (1, 1)
    assert order_number(take(transport)) == 3


def test_of_messages_taken_together_each_has_its_own_lease(store: Store) -> None:
    busy, other = store.open(lease=1), store.open(lease=1)
    for number in range(2):
        busy.send(number_envelope(number))
    lost, held = busy.get(LONG, never, 2)
    with kept_alive(busy, held):
        taken_over = take(other)
        assert order_number(taken_over) == 0
        assert deliveries(taken_over) == 2
        busy.requeue(lost, lost.with_stamps(RedeliveryStamp(1)))
        busy.reject(lost)
        assert len(listed(other)) == 2
        busy.requeue(held, held.with_stamps(RedeliveryStamp(7)))
    retries = {order_number(e): e.last(RedeliveryStamp) for e in listed(other)}
    assert retries[0] is None
    assert retries[1] is not None
    assert retries[1].retry_count == 7


def test_what_several_abandoned_comes_again_with_a_limit(store: Store) -> None:
    dead, alive = store.open(lease=1), store.open(lease=1)
    for number in range(3):
        dead.send(number_envelope(number))
    assert len(dead.get(LONG, never, 3)) == 3
    again = take_several(alive, 3)
    assert sorted(order_number(envelope) for envelope in again) == [0, 1, 2]
    assert {deliveries(envelope) for envelope in again} == {2}
