"""Taking several messages at once: new ones, abandoned ones, each with its own count."""

from __future__ import annotations

import redis

from messenger import DelayStamp
from tests.integration.redis.conftest import Open
from tests.integration.redis.orders import deliveries, never, number_of, order, take


def abandon(client: redis.Redis, consumer: str) -> None:
    """Make everything this consumer holds look as if it had been silent for long."""
    for pending in client.xpending_range("orders", "symfony", "-", "+", 1000, consumername=consumer):
        client.xclaim("orders", "symfony", consumer, 0, [pending["message_id"]], idle=61_000, justid=True)


def test_as_many_as_there_are_and_no_more_than_asked_for(opened: Open) -> None:
    transport = opened()
    for number in range(7):
        transport.send(order(number))
    taken = [transport.get(0, never, 5), transport.get(0, never, 5), transport.get(0, never, 5)]
    assert [[number_of(envelope) for envelope in part] for part in taken] == [[0, 1, 2, 3, 4], [5, 6], []]
    assert {deliveries(envelope) for part in taken for envelope in part} == {1}
    assert transport.depth().in_flight == 7


def test_due_ones_come_along(opened: Open) -> None:
    transport = opened()
    for number in range(3):
        transport.send(order(number).with_stamps(DelayStamp(1)))
    found: list[int] = []
    while len(found) < 3:
        found += [number_of(envelope) for envelope in transport.get(1, never, 10)]
    assert found == [0, 1, 2]


def test_abandoned_ones_are_recovered_up_to_the_limit(opened: Open, client: redis.Redis) -> None:
    dead, alive = opened(worker="dead"), opened("/orders?claim_interval=3600000", worker="alive")
    for number in range(25):
        dead.send(order(number))
    assert len(dead.get(0, never, 25)) == 25
    abandon(client, "dead")
    parts = [alive.get(0, never, 10) for _ in range(4)]
    assert [[number_of(envelope) for envelope in part] for part in parts] == [
        list(range(10)),
        list(range(10, 20)),
        list(range(20, 25)),
        [],
    ]
    assert {deliveries(envelope) for part in parts for envelope in part} == {2}


def test_each_has_its_own_count_of_deliveries(opened: Open, client: redis.Redis) -> None:
    first, second, third = (opened(worker=name) for name in ("first", "second", "third"))
    for number in range(3):
        first.send(order(number))
    take(first)
    abandon(client, "first")
    second.get(0, never, 1)
    second.get(0, never, 2)
    abandon(client, "second")
    assert [(number_of(envelope), deliveries(envelope)) for envelope in third.get(0, never, 10)] == [
        (0, 3),
        (1, 2),
        (2, 2),
    ]


def test_abandoned_ones_lie_behind_many_that_are_worked_on(opened: Open, client: redis.Redis) -> None:
    busy, dead, alive = opened(worker="busy"), opened(worker="dead"), opened(worker="alive")
    for number in range(303):
        busy.send(order(number))
    busy.get(0, never, 300)
    dead.get(0, never, 3)
    abandon(client, "dead")
    assert [number_of(envelope) for envelope in alive.get(0, never, 3)] == [300, 301, 302]
