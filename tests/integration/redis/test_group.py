"""Stream, group and consumers: made, lost, made again, cleaned up."""

from __future__ import annotations

import logging
from typing import cast

import pytest
import redis

from messenger import TransportError, TransportUnavailable
from messenger.redis.scripts import Script
from messenger.transports.base import Depth
from tests.integration.redis.conftest import Open
from tests.integration.redis.orders import number_of, order, take


def consumers(client: redis.Redis) -> list[str]:
    found = cast("list[dict[str, bytes]]", client.xinfo_consumers("orders", "symfony"))
    return sorted(entry["name"].decode() for entry in found)


# --- the group ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("everything", [True, False])
def test_a_group_that_was_lost_is_made_again(
    opened: Open, client: redis.Redis, caplog: pytest.LogCaptureFixture, everything: bool
) -> None:
    transport = opened()
    transport.send(order(1))
    transport.ack(take(transport))
    if everything:
        client.flushall()
    else:
        client.xgroup_destroy("orders", "symfony")
    client.xadd("orders", {"message": '{"body": "{}", "headers": {}}'})  # another program, without a group
    with caplog.at_level(logging.WARNING):
        take(transport)
    assert "group_recreated transport=orders stream=orders" in caplog.text
    transport.send(order(2))
    assert number_of(take(transport)) == 2


def test_a_message_in_hand_can_be_settled_when_everything_was_flushed(opened: Open, client: redis.Redis) -> None:
    transport = opened()
    for settle in (
        transport.ack,
        transport.reject,
        lambda envelope: transport.requeue(envelope, envelope),
    ):
        transport.send(order(1))
        held = take(transport)
        client.flushall()
        settle(held)
        transport.send(order(2))
        transport.ack(take(transport))


def test_what_was_handled_before_the_group_was_made_again_does_not_come_again(
    opened: Open, client: redis.Redis
) -> None:
    transport = opened()
    transport.send(order(1))
    held = take(transport)
    client.xgroup_destroy("orders", "symfony")
    client.xgroup_create("orders", "symfony", "0")
    transport.ack(held)
    assert client.xlen("orders") == 0


def test_messages_are_acknowledged_while_there_is_no_memory(opened: Open, client: redis.Redis) -> None:
    transport = opened()
    held = []
    for number in range(3):
        transport.send(order(number))
        held.append(take(transport))
    client.script_flush()
    client.config_set("maxmemory", 1)
    try:
        transport.ack(held[0])
        transport.reject(held[1])
        with pytest.raises(TransportError, match="OOM|maxmemory"):
            transport.requeue(held[2], held[2])
    finally:
        client.config_set("maxmemory", 0)
    assert transport.depth() == Depth(0, 1, 0)


def test_messages_sent_before_there_was_a_group_are_read(opened: Open, client: redis.Redis) -> None:
    client.xadd("orders", {"message": b'{"body": "x", "headers": {}}'})
    assert len(opened().get(0, lambda: False)) == 1


def test_two_groups_that_delete_nothing_get_every_message_each(opened: Open) -> None:
    keep = "delete_after_ack=false&delete_after_reject=false"
    one, two = opened(f"/orders/one?{keep}"), opened(f"/orders/two?{keep}")
    one.setup()
    two.setup()
    one.send(order(1))
    for transport in (one, two):
        envelope = take(transport)
        assert number_of(envelope) == 1
        transport.ack(envelope)
        assert transport.depth() == Depth(0, 0, 0)


def test_auto_setup_off_leaves_the_making_to_the_first_that_reads(opened: Open, client: redis.Redis) -> None:
    transport = opened("/orders?auto_setup=false")
    transport.send(order(1))
    assert client.xinfo_groups("orders") == []
    assert number_of(take(transport)) == 1


def test_a_key_of_another_kind_is_a_refusal_with_its_name(opened: Open, client: redis.Redis) -> None:
    client.set("orders", "text")
    with pytest.raises(TransportError, match="what lies under the name of stream 'orders' .* is of another type"):
        opened().send(order(1))


# --- counting and trimming ----------------------------------------------------------------------------------------


def test_counts_are_right_after_deletes_where_lag_is_not(opened: Open, client: redis.Redis) -> None:
    transport = opened()
    sent = [transport.send(order(number)) for number in range(6)]
    take(transport)
    for envelope in sent[3:5]:
        found = transport.find(envelope.stamps[-1].id)  # type: ignore[attr-defined]
        assert found is not None
        transport.reject(found)
    groups = client.xinfo_groups("orders")
    assert groups[0]["lag"] != 3, "the server's own count is not to be relied on"
    depth = transport.depth()
    assert (depth.ready, depth.in_flight, depth.delayed) == (3, 1, 0)


def test_kept_entries_are_not_counted_as_ready(opened: Open) -> None:
    transport = opened("/orders?delete_after_ack=false")
    for number in range(3):
        transport.send(order(number))
    transport.ack(take(transport))
    depth = transport.depth()
    assert (depth.ready, depth.in_flight) == (2, 0)


def test_only_handled_entries_are_trimmed(opened: Open, client: redis.Redis) -> None:
    transport = opened("/orders?delete_after_ack=false&stream_max_entries=10")
    sender = opened("/orders?delete_after_ack=false")
    for number in range(330):
        sender.send(order(number))
    held = [take(transport) for _ in range(300)]
    for envelope in held[:100]:
        transport.ack(envelope)
    assert client.xlen("orders") == 230, "what is unread or not acknowledged stays, however many there are"
    for envelope in held[101:]:
        transport.ack(envelope)
    assert client.xlen("orders") == 230, "and so does what lies behind one that is still worked on"
    transport.ack(held[100])
    rest = [take(transport) for _ in range(30)]
    assert [number_of(envelope) for envelope in rest] == list(range(300, 330))
    for envelope in rest:
        transport.ack(envelope)
    for number in range(70):
        transport.send(order(number))
        transport.ack(take(transport))
    assert client.xlen("orders") == 10


# --- consumers ----------------------------------------------------------------------------------------------------


def test_a_worker_that_leaves_takes_its_consumer_along(opened: Open, client: redis.Redis) -> None:
    transport = opened(worker="w")
    transport.send(order(1))
    transport.ack(take(transport))
    assert consumers(client) == ["w"]
    transport.close()
    assert consumers(client) == []


def test_but_not_while_it_still_holds_a_message(opened: Open, client: redis.Redis) -> None:
    transport = opened(worker="w")
    transport.send(order(1))
    take(transport)
    transport.close()
    assert consumers(client) == ["w"]
    assert cast("dict[str, int]", client.xpending("orders", "symfony"))["pending"] == 1


def test_a_dead_consumer_is_removed_once_it_holds_nothing(opened: Open, client: redis.Redis) -> None:
    for worker in ("empty", "holds"):
        transport = opened(worker=worker)
        transport.send(order(1))
        envelope = take(transport)
        if worker == "empty":
            transport.ack(envelope)
    script, link = Script("reap_consumers", "messenger.transports.redis"), transport._connection
    assert script.run(link, ("orders",), ("symfony", "", 3_600_000)) == []
    assert script.run(link, ("orders",), ("symfony", "", 0)) == [b"empty"]
    assert consumers(client) == ["holds"]


def test_a_fixed_consumer_name_is_for_one_worker_at_a_time(opened: Open) -> None:
    first = opened("/orders/symfony/fixed", worker="host1-1")
    second = opened("/orders/symfony/fixed", worker="host2-2")
    first.send(order(1))
    held = take(first)
    with pytest.raises(TransportUnavailable) as caught:
        second.get(0, lambda: False)
    text = str(caught.value)
    assert "the consumer name 'fixed' of stream 'orders' is in use by worker host1-1" in text
    assert "leave the third part of the DSN's path away" in text
    first.ack(held)
    first.close()
    first.send(order(2))
    assert number_of(take(second)) == 2


def test_a_fixed_name_outlives_a_killed_worker_for_a_lease_only(opened: Open, client: redis.Redis) -> None:
    first = opened("/orders/symfony/fixed?redeliver_timeout=1", worker="w1")
    first.get(0, lambda: False)
    assert 0 < client.pttl("orders__consumer:symfony:fixed") <= 1000
    second = opened("/orders/symfony/fixed", worker="w2")
    second.send(order(1))

    def once_free() -> int:
        while True:
            try:
                return number_of(take(second))
            except TransportUnavailable:
                continue

    assert once_free() == 1


def test_names_are_the_processes_own_when_none_is_fixed(opened: Open, client: redis.Redis) -> None:
    for worker in ("a", "b"):
        transport = opened(worker=worker)
        transport.send(order(1))
        take(transport)
    assert consumers(client) == ["a", "b"]


def test_no_key_is_left_that_is_not_known(opened: Open, client: redis.Redis) -> None:
    transport = opened("/orders/symfony/fixed")
    transport.send(order(1))
    transport.ack(take(transport))
    transport.close()
    assert client.keys() == [b"orders"]
