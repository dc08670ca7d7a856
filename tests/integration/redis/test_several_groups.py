"""Several groups on one stream: each gets every message, and none loses one to another."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from messenger import DelayStamp, RedeliveryStamp, TransportError
from messenger.envelope import AnyEnvelope
from messenger.stamps import ForeignHeadersStamp, SentToFailureTransportStamp
from messenger.transports.base import Depth
from messenger.transports.redis.transport import RedisTransport
from messenger.wire.encoded import UndecodableMessage
from tests.integration.redis.conftest import Open
from tests.integration.redis.groups import NAMES, OFTEN, SELDOM, TWO_AND_THREE, headers, nothing_comes, opened_groups
from tests.integration.redis.orders import LONG, deliveries, look_for, number_of, order, stored, take
from tests.integration.transports.processes import receiver_process
from tests.integration.transports.stores import Store, number_envelope, order_number
from tests.integration.transports.stores import take as take_from_store
from tests.support.servers import RedisServer, wait_until


def stamp_of(envelope: AnyEnvelope) -> str:
    stamp = envelope.last(ForeignHeadersStamp)
    assert stamp is not None
    return stamp.headers["X-Messenger-Group"]


# --- every group gets every message, and it goes when all are done --------------------------------------------------


@TWO_AND_THREE
def test_an_entry_stays_until_every_group_has_acknowledged_it(
    opened: Open, client: redis.Redis, names: Sequence[str]
) -> None:
    groups = opened_groups(opened, names)
    for number in range(3):
        groups[0].send(order(number))
    held = [[take(group) for _ in range(3)] for group in groups]
    assert [[number_of(envelope) for envelope in part] for part in held] == [[0, 1, 2]] * len(groups)
    for group, envelopes in list(zip(groups, held, strict=True))[:-1]:
        for envelope in envelopes:
            group.ack(envelope)
        assert client.xlen("orders") == 3
        assert group.depth() == Depth(0, 0, 0)
    for left, envelope in zip((2, 1, 0), held[-1], strict=True):
        groups[-1].ack(envelope)
        assert client.xlen("orders") == left


@TWO_AND_THREE
def test_what_no_group_has_read_yet_is_not_deleted(opened: Open, client: redis.Redis, names: Sequence[str]) -> None:
    first, *others = opened_groups(opened, names)
    first.send(order(1))
    first.ack(take(first))
    for group in others:
        assert number_of(take(group)) == 1


@TWO_AND_THREE
def test_rejected_by_one_it_stays_for_the_others(opened: Open, client: redis.Redis, names: Sequence[str]) -> None:
    first, *others = opened_groups(opened, names)
    first.send(order(1))
    first.reject(take(first))
    for group in others:
        group.reject(take(group))
    assert client.xlen("orders") == 0


def test_workers_of_three_groups_at_once_handle_each_message_once_in_each(opened: Open, client: redis.Redis) -> None:
    opened_groups(opened, NAMES)[0].close()
    workers = [opened(f"/orders/{name}?{OFTEN}", worker=f"{name}{index}") for name in NAMES for index in range(2)]
    sender = opened("/orders/one")
    for number in range(200):
        sender.send(order(number).with_stamps(*[DelayStamp(1)] * (number % 2)))

    def work(worker: RedisTransport) -> list[int]:
        handled: list[int] = []
        while (envelope := look_for(worker, 0.5)) is not None:
            if number_of(envelope) % 10 == 0 and envelope.last(RedeliveryStamp) is None:
                worker.requeue(envelope, envelope.with_stamps(DelayStamp(0), RedeliveryStamp(1)))
                continue
            worker.ack(envelope)
            handled.append(number_of(envelope))
        return handled

    with ThreadPoolExecutor(len(workers)) as pool:
        handled = list(pool.map(work, workers))
    for index in range(3):
        assert sorted(handled[2 * index] + handled[2 * index + 1]) == list(range(200))
    assert client.xlen("orders") == 0


def test_a_delayed_message_goes_to_every_group_once(opened: Open, client: redis.Redis) -> None:
    groups = opened_groups(opened, NAMES)
    client.zadd("orders__queue", {stored(1, uniqid="u"): 1})
    for group in groups:
        group.ack(take(group))
    assert all(nothing_comes(group) for group in groups)
    assert client.xlen("orders") == 0


def test_a_killed_worker_of_one_group_loses_nothing_to_the_others(
    redis_server: RedisServer, client: redis.Redis, tmp_path: Path
) -> None:
    factory = "messenger.transports.redis:create"
    query = "redeliver_timeout={lease}&claim_interval=100"
    one = Store("redis", tmp_path, factory, redis_server.url(f"/orders/one?{query}"), server=redis_server)
    two = Store("redis", tmp_path, factory, redis_server.url(f"/orders/two?{query}"), server=redis_server)
    survivor, other = one.open(lease=1), two.open(lease=1)
    try:
        for transport in (survivor, other):
            transport.setup()
        with receiver_process(one, "victim", count=3, lease=1) as victim:
            for number in range(2):
                other.send(number_envelope(number))
            wait_until(lambda: survivor.depth().in_flight == 2, LONG, "the victim took both")
            victim.send_signal(signal.SIGKILL)
            assert victim.wait(20) == -signal.SIGKILL
        for number in range(2):
            envelope = take_from_store(other)
            assert (order_number(envelope), deliveries(envelope)) == (number, 1)
            other.ack(envelope)
        assert client.xlen("orders") == 2, "what the killed one held is still there"
        for _ in range(2):
            envelope = take_from_store(survivor)
            assert deliveries(envelope) == 2
            survivor.ack(envelope)
        assert client.xlen("orders") == 0
    finally:
        one.close()
        two.close()


# --- a retry is for the group that failed -----------------------------------------------------------------------


@TWO_AND_THREE
@pytest.mark.parametrize("delay", [0, 1])
def test_a_retry_comes_back_to_its_group_only(
    opened: Open, client: redis.Redis, names: Sequence[str], delay: int
) -> None:
    first, *others = opened_groups(opened, names)
    first.send(order(1))
    failed = take(first)
    first.requeue(failed, failed.with_stamps(DelayStamp(delay), RedeliveryStamp(1)))
    assert headers(client)[-1] == "orders/one"
    for group in others:
        group.ack(take(group))
    again = take(first)
    assert (number_of(again), again.last(RedeliveryStamp) is not None) == (1, True)
    first.requeue(again, again.with_stamps(DelayStamp(delay), RedeliveryStamp(2)))
    first.ack(take(first))
    assert all(nothing_comes(group) for group in others)
    assert client.xlen("orders") == 0


def test_one_group_alone_writes_no_header(opened: Open, client: redis.Redis) -> None:
    (group,) = opened_groups(opened, ["one"])
    group.send(order(1))
    failed = take(group)
    assert failed.last(ForeignHeadersStamp) is None
    group.requeue(failed, failed.with_stamps(RedeliveryStamp(1)))
    assert headers(client) == [None]


def test_a_group_that_nobody_has_noticed_yet_is_spared_the_retry_too(opened: Open, client: redis.Redis) -> None:
    one = opened(f"/orders/one?{SELDOM}")
    one.setup()
    one.send(order(1))
    failed = take(one)
    two = opened("/orders/two")
    two.setup()
    one.requeue(failed, failed.with_stamps(RedeliveryStamp(1)))
    assert headers(client) == [None, "orders/one"]
    two.ack(take(two))
    assert nothing_comes(two)
    one.ack(take(one))
    assert client.xlen("orders") == 0


def test_what_cannot_be_read_is_passed_over_as_well(opened: Open, client: redis.Redis) -> None:
    one, two = opened_groups(opened, NAMES[:2])
    for value in (b"\xff no JSON", b'{"body": "{}", "headers": {"type": "no.such.Message"}}'):
        client.xadd("orders", {"message": value})
        failed = take(one)
        assert isinstance(failed.message, UndecodableMessage)
        one.requeue(failed, failed.with_stamps(RedeliveryStamp(1)))
        two.ack(take(two))
        assert nothing_comes(two)
        again = take(one)
        assert isinstance(again.message, UndecodableMessage)
        one.ack(again)
    assert client.xlen("orders") == 0


def test_names_of_any_kind_are_told_apart(opened: Open, redis_server: RedisServer) -> None:
    one, two = (opened(redis_server.url(f"?{OFTEN}"), stream="a/b", group=name) for name in ("b/c", "ü %/"))
    for group in (one, two, one):
        group.setup()
    one.send(order(1))
    failed = take(one)
    one.requeue(failed, failed.with_stamps(RedeliveryStamp(1)))
    two.ack(take(two))
    assert nothing_comes(two)
    assert number_of(take(one)) == 1


@pytest.mark.parametrize("header", ["messages/two", "orders", "two", "orders2/two", "", "/"])
def test_a_header_of_another_stream_says_nothing_here(opened: Open, header: str) -> None:
    one, _ = opened_groups(opened, NAMES[:2])
    one.send(order(1).with_stamps(ForeignHeadersStamp({"X-Messenger-Group": header})))
    assert number_of(take(one)) == 1


def test_a_stream_whose_name_begins_with_ours_is_another(opened: Open, redis_server: RedisServer) -> None:
    one, _ = opened_groups(opened, NAMES[:2])
    other, second = (opened(redis_server.url(), stream="orders/x", group=name) for name in ("a", "b"))
    for group in (other, second, other):
        group.setup()
    other.send(order(1))
    one.send(take(other))  # a handler that passes its message on
    assert number_of(take(one)) == 1


# --- failure transports -----------------------------------------------------------------------------------------


def test_put_aside_and_sent_back_it_comes_to_its_group_only(opened: Open, client: redis.Redis) -> None:
    one, two = opened_groups(opened, NAMES[:2])
    failures = opened("/failed")
    one.send(order(1))
    received = take(one)
    failures.send(received.with_stamps(SentToFailureTransportStamp("orders"), RedeliveryStamp(0)))
    one.reject(received)
    two.ack(take(two))
    kept = take(failures)  # a failure transport on Redis has groups of its own, and they mean nothing to it
    assert stamp_of(kept) == "orders/one"
    one.send(kept.without_all(SentToFailureTransportStamp).without_all(RedeliveryStamp))
    failures.reject(kept)
    assert nothing_comes(two)
    assert number_of(take(one)) == 1


def test_a_failure_stream_with_several_groups_keeps_the_origin(opened: Open) -> None:
    one, _ = opened_groups(opened, NAMES[:2])
    origin = ForeignHeadersStamp({"X-Messenger-Group": "other/x"})
    one.send(order(1).with_stamps(SentToFailureTransportStamp("other"), origin))
    received = take(one)
    assert stamp_of(received) == "other/x"
    one.requeue(received, received.with_stamps(RedeliveryStamp(1)))
    assert stamp_of(take(one)) == "other/x"


def test_a_message_for_a_group_that_is_gone_is_not_sent(opened: Open, client: redis.Redis) -> None:
    one, two = opened_groups(opened, NAMES[:2])
    one.send(order(1))
    received = take(one)
    client.xgroup_destroy("orders", "one")
    with pytest.raises(TransportError, match=r"one group of stream 'orders' \(orders/one\), and that group is gone"):
        two.send(received)
    with pytest.raises(TransportError, match="that group is gone"):
        opened("/orders/one", "another process of the group").send(received)
    assert [group["name"] for group in client.xinfo_groups("orders")] == [b"two"], "and it is not made again"
    assert client.xlen("orders") == 1
