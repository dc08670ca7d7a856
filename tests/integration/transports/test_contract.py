"""What every transport promises, shown on each of them against its real server."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from messenger.cli.stats import longest_wait
from messenger.envelope import Envelope
from messenger.errors import MessageEncodingFailed
from messenger.stamps import DelayStamp, ForeignHeadersStamp, RedeliveryStamp, SerializedMessageStamp
from messenger.transports.base import ConsumerTransport, Depth
from messenger.wire.encoded import UndecodableMessage
from tests.integration.transports.stores import (
    LONG,
    Order,
    Store,
    deliveries,
    find,
    kept_alive,
    listed,
    look_for,
    message_id,
    never,
    number_envelope,
    order_number,
    take,
)

FOREIGN = {
    "X-Trace-Id": "a1b2c3",
    "X-Message-Stamp-App\\Stamp\\TenantStamp": '[{"tenant": "Zürich \\u00fc \\/ 1"}]',
}


def test_a_message_is_sent_taken_and_acknowledged(store: Store) -> None:
    sender, receiver = store.open(), store.open()
    sent = sender.send(number_envelope(1, 'Grüezi "you" \\ 🐘 \n' + "x" * 200_000))
    assert message_id(sent)
    received = take(receiver)
    assert received.message == sent.message
    assert message_id(received) == message_id(sent)
    assert deliveries(received) == 1
    receiver.ack(received)
    assert receiver.depth() == Depth(0, 0, 0)
    assert listed(receiver) == []
    assert receiver.get(0, never) == []


def test_messages_come_in_the_order_they_were_sent(store: Store) -> None:
    transport = store.open()
    for number in range(20):
        transport.send(number_envelope(number))
    received = [take(transport) for _ in range(20)]
    assert [order_number(envelope) for envelope in received] == list(range(20))


def test_a_delayed_message_comes_when_it_is_due(store: Store) -> None:
    transport = store.open()
    transport.send(number_envelope(1).with_stamps(DelayStamp(60_000), DelayStamp(1500)))
    transport.send(number_envelope(2))
    assert order_number(take(transport)) == 2
    assert transport.get(0, never) == []
    assert transport.depth().delayed == 1
    late = take(transport)
    assert order_number(late) == 1
    assert late.all(DelayStamp) == [DelayStamp(60_000), DelayStamp(1500)]


def test_a_zero_delay_is_none(store: Store) -> None:
    transport = store.open()
    transport.send(number_envelope(1).with_stamps(DelayStamp(60_000), DelayStamp(0)))
    assert order_number(take(transport)) == 1


def test_requeue_puts_the_new_message_in_place_of_the_old(store: Store) -> None:
    transport = store.open()
    transport.send(number_envelope(1))
    received = take(transport)
    transport.requeue(received, received.with_stamps(DelayStamp(600), RedeliveryStamp(1)))
    depth = transport.depth()
    assert (depth.ready, depth.in_flight, depth.delayed) == (0, 0, 1)
    assert len(listed(transport)) == 1
    again = take(transport)
    assert order_number(again) == 1
    stamp = again.last(RedeliveryStamp)
    assert stamp is not None
    assert stamp.retry_count == 1
    assert deliveries(again) == 1, "a retry is not a redelivery"
    transport.ack(again)
    assert transport.depth() == Depth(0, 0, 0)


def test_requeue_without_a_delay_makes_it_ready(store: Store) -> None:
    transport = store.open()
    transport.send(number_envelope(1))
    received = take(transport)
    transport.requeue(received, received.with_stamps(RedeliveryStamp(1)))
    depth = transport.depth()
    assert (depth.ready, depth.in_flight, depth.delayed) == (1, 0, 0)
    assert order_number(take(transport)) == 1


def test_after_a_requeue_the_old_envelope_has_no_hold_on_the_message(store: Store) -> None:
    transport = store.open()
    transport.send(number_envelope(1))
    received = take(transport)
    transport.requeue(received, received.with_stamps(RedeliveryStamp(1)))
    transport.keepalive(received)  # a beat that comes late
    assert transport.depth().ready == 1
    transport.requeue(received, received.with_stamps(RedeliveryStamp(2)))
    transport.reject(received)
    assert [e.all(RedeliveryStamp)[-1].retry_count for e in listed(transport)] == [1]


def test_a_requeue_that_cannot_be_written_leaves_the_message(store: Store) -> None:
    transport = store.open()
    transport.send(number_envelope(1))
    received = take(transport)
    unwritable = Envelope(Order(1, object()))  # type: ignore[arg-type]
    with pytest.raises(MessageEncodingFailed):
        transport.requeue(received, unwritable)
    assert transport.depth() == Depth(0, 1, 0)


def test_a_rejected_message_is_gone(store: Store) -> None:
    transport = store.open()
    transport.send(number_envelope(1))
    transport.reject(take(transport))
    assert transport.depth() == Depth(0, 0, 0)
    assert listed(transport) == []


def test_a_message_comes_again_when_its_lease_ran_out(store: Store) -> None:
    dead, alive = store.open(lease=1), store.open(lease=1)
    dead.send(number_envelope(1))
    first = take(dead)
    second = take(alive)
    assert order_number(second) == 1
    assert message_id(second) == message_id(first)
    assert deliveries(second) == 2
    alive.ack(second)
    assert alive.depth() == Depth(0, 0, 0)


def test_a_message_that_is_kept_alive_does_not_come_again(store: Store) -> None:
    busy, other = store.open(lease=1), store.open(lease=1)
    busy.send(number_envelope(1))
    held = take(busy)
    with kept_alive(busy, held):
        assert look_for(other, 3) is None
    assert deliveries(take(other)) == 2, "without keepalive it must come again"


def test_what_is_handed_back_comes_to_another_at_once_and_was_not_delivered(store: Store) -> None:
    leaving, other = store.open(), store.open()
    leaving.send(number_envelope(1))
    held = take(leaving)
    leaving.hand_back(held)
    received = take(other)
    assert deliveries(received) == 1
    other.ack(received)
    assert other.depth() == Depth(0, 0, 0)


def test_a_message_taken_over_cannot_be_handed_back_by_who_lost_it(store: Store) -> None:
    lost, other = store.open(lease=1), store.open(lease=1)
    lost.send(number_envelope(1))
    held = take(lost)
    received = take(other)
    lost.hand_back(held)
    assert other.depth().in_flight == 1
    other.reject(received)
    assert other.depth() == Depth(0, 0, 0)


def test_who_lost_a_lease_cannot_touch_the_message_of_its_new_holder(store: Store) -> None:
    zombie, holder = store.open(lease=1), store.open(lease=1)
    zombie.send(number_envelope(1))
    lost = take(zombie)
    held = take(holder)
    zombie.requeue(lost, lost.with_stamps(RedeliveryStamp(1)))
    assert len(listed(holder)) == 1
    zombie.reject(lost)
    assert len(listed(holder)) == 1
    assert order_number(listed(holder)[0]) == 1
    assert listed(holder)[0].last(RedeliveryStamp) is None
    holder.requeue(held, held.with_stamps(RedeliveryStamp(7)))
    assert [e.all(RedeliveryStamp)[-1].retry_count for e in listed(holder)] == [7]


def test_a_success_counts_even_when_the_lease_was_lost(store: Store) -> None:
    zombie, holder = store.open(lease=1), store.open(lease=1)
    zombie.send(number_envelope(1))
    lost, held = take(zombie), take(holder)
    zombie.ack(lost)
    assert listed(holder) == []
    holder.ack(held)
    holder.requeue(held, held.with_stamps(RedeliveryStamp(1)))
    assert listed(holder) == [], "what is handled does not come back"


def test_what_is_gone_already_can_be_acknowledged_and_rejected(store: Store) -> None:
    transport = store.open()
    transport.send(number_envelope(1))
    received = take(transport)
    transport.ack(received)
    transport.ack(received)
    transport.reject(received)
    transport.keepalive(received)
    assert transport.depth() == Depth(0, 0, 0)


def test_depth_counts_ready_taken_and_delayed(store: Store) -> None:
    transport = store.open()
    assert transport.depth() == Depth(0, 0, 0)
    for number in range(4):
        transport.send(number_envelope(number))
    for _ in range(3):
        transport.send(number_envelope(9).with_stamps(DelayStamp(60_000)))
    for _ in range(2):
        take(transport)
    depth = transport.depth()
    assert (depth.ready, depth.in_flight, depth.delayed) == (2, 2, 3)
    assert depth.oldest_seconds is not None
    assert 0 <= depth.oldest_seconds < LONG
    assert longest_wait(depth) == depth.oldest_seconds
    assert depth.next_due_seconds is not None
    assert 60 - LONG < depth.next_due_seconds <= 60


def test_it_tells_who_holds_messages(store: Store) -> None:
    first, second = store.open(), store.open()
    if store.shared:
        assert not isinstance(first, ConsumerTransport), "what lives in one process has no consumers"
        return
    assert isinstance(first, ConsumerTransport)
    assert list(first.in_flight()) == []
    for number in range(3):
        first.send(number_envelope(number))
    for transport in (first, second, second):
        take(transport)
    found = first.in_flight()
    assert {held.consumer: held.count for held in found} == {"worker-0": 1, "worker-1": 2}
    assert all(0 <= held.idle_seconds < LONG for held in found)
    assert found[0].idle_seconds >= found[1].idle_seconds


def test_everything_is_listed_and_found(store: Store) -> None:
    transport = store.open()
    sent = [transport.send(number_envelope(number)) for number in range(3)]
    sent.append(transport.send(number_envelope(3).with_stamps(DelayStamp(60_000))))
    take(transport)
    assert [order_number(envelope) for envelope in listed(transport)] == [0, 1, 2, 3]
    assert [order_number(envelope) for envelope in listed(transport, limit=2)] == [0, 1]
    for envelope in sent:
        found = find(transport, message_id(envelope))
        assert found is not None
        assert order_number(found) == order_number(envelope)
        assert message_id(found) == message_id(envelope)
    for unknown in ("", "0", "0-0", "999999999999999999999999", "no such id", "'; --", "²"):
        assert find(transport, unknown) is None


def test_a_message_that_was_found_can_be_removed_or_put_back(store: Store) -> None:
    transport = store.open()
    ids = [message_id(transport.send(number_envelope(number))) for number in range(2)]
    ids.append(message_id(transport.send(number_envelope(2).with_stamps(DelayStamp(60_000)))))
    ids.append(message_id(transport.send(number_envelope(3).with_stamps(DelayStamp(60_000)))))
    for id_ in (ids[0], ids[2]):
        found = find(transport, id_)
        assert found is not None
        transport.reject(found)
        assert find(transport, id_) is None
    for id_ in (ids[1], ids[3]):
        found = find(transport, id_)
        assert found is not None
        transport.requeue(found, found.with_stamps(DelayStamp(0), RedeliveryStamp(0)))
    assert sorted(order_number(take(transport)) for _ in range(2)) == [1, 3]
    assert transport.depth() == Depth(0, 2, 0)


def test_what_cannot_be_decoded_comes_out_whole_and_stays(store: Store) -> None:
    transport = store.open()
    headers = {"type": "no.such.Message", "X-Trace-Id": "a1b2c3"}
    transport.send(Envelope(UndecodableMessage("{ not json \x00 ü", headers), [RedeliveryStamp(2)]))
    received = take(transport)
    assert isinstance(received.message, UndecodableMessage)
    assert received.message.body == "{ not json \x00 ü"
    assert received.message.headers == headers
    assert "no.such.Message" in received.message.reason
    assert received.last(RedeliveryStamp) is not None
    assert len(listed(transport)) == 1
    transport.requeue(received, received)
    again = take(transport)
    assert again.message == received.message
    transport.reject(again)
    assert listed(transport) == []


def test_foreign_headers_come_through_unchanged(store: Store) -> None:
    transport = store.open()
    transport.send(number_envelope(1).with_stamps(ForeignHeadersStamp(FOREIGN)))
    received = take(transport)
    transport.requeue(received, received.with_stamps(RedeliveryStamp(1)))
    again = take(transport)
    for envelope in (received, again):
        stamp = envelope.last(ForeignHeadersStamp)
        assert stamp is not None
        assert stamp.headers == FOREIGN
    assert again.last(SerializedMessageStamp) == received.last(SerializedMessageStamp)


def test_stop_ends_a_wait(store: Store) -> None:
    transport = store.open()
    stop = threading.Event()
    waiting = threading.Event()

    def stopped() -> bool:
        waiting.set()
        return stop.is_set()

    with ThreadPoolExecutor(1) as pool:
        wait = pool.submit(transport.get, 100, stopped)
        assert waiting.wait(LONG)
        assert not wait.done()
        stop.set()
        assert wait.result(LONG) == []


def test_a_message_ends_a_wait(store: Store) -> None:
    receiver, sender = store.open(), store.open()
    with ThreadPoolExecutor(1) as pool:
        wait = pool.submit(receiver.get, LONG, never)
        sender.send(number_envelope(1))
        assert [order_number(envelope) for envelope in wait.result(LONG)] == [1]


def test_setup_may_be_run_again_and_by_several_at_once(store: Store) -> None:
    transports = [store.open() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for setup in [pool.submit(transport.setup) for transport in transports]:
            setup.result()
    transports[0].send(number_envelope(1))
    transports[0].setup()
    assert order_number(take(transports[1])) == 1


def test_a_closed_transport_opens_again(store: Store) -> None:
    transport = store.open()
    transport.send(number_envelope(1))
    transport.close()
    received = take(transport)
    transport.close()
    transport.close()
    transport.ack(received)
    assert transport.depth() == Depth(0, 0, 0)
