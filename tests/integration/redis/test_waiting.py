"""Waiting for messages: told at once, ended at once, alone or with other transports, and nothing lost."""

from __future__ import annotations

import select
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from messenger import DelayStamp, TransportUnavailable
from messenger.transports.base import Depth, WakingTransport
from messenger.transports.redis.transport import RedisTransport
from tests.integration.redis.conftest import Open
from tests.integration.redis.orders import LONG, never, number_of, order, take
from tests.integration.redis.servers import ENCODED, PASSWORD, LockedRedis
from tests.support.servers import wait_until

DAY = 86_400.0
PATIENT = "/orders?claim_interval=86400000"


def blocked(client: redis.Redis) -> list[dict[str, str]]:
    return [c for c in client.client_list() if "b" in c["flags"]]


def becomes_blocked(client: redis.Redis) -> None:
    wait_until(lambda: len(blocked(client)) == 1, LONG, "a blocked client")


def readable(fd: int, seconds: float = LONG) -> bool:
    return bool(select.select([fd], [], [], seconds)[0])


# --- get ----------------------------------------------------------------------------------------------------------


def test_a_waiting_read_wakes_at_once_on_a_message_and_on_stop(opened: Open, client: redis.Redis) -> None:
    transport, stop = opened(PATIENT), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        wait = pool.submit(transport.get, DAY, stop.is_set)
        becomes_blocked(client)
        opened(worker="sender").send(order(1))
        assert [number_of(envelope) for envelope in wait.result(LONG)] == [1]
        wait = pool.submit(transport.get, DAY, stop.is_set)
        becomes_blocked(client)
        stop.set()
        assert wait.result(LONG) == []
    assert blocked(client) == []


@pytest.mark.parametrize("how", ["flushed", "destroyed"])
def test_a_waiting_read_whose_group_goes_away_makes_it_again(opened: Open, client: redis.Redis, how: str) -> None:
    transport = opened(PATIENT)
    with ThreadPoolExecutor(1) as pool:
        wait = pool.submit(transport.get, DAY, never)
        becomes_blocked(client)
        if how == "flushed":
            client.flushall()
        else:
            client.xgroup_destroy("orders", "symfony")
        wait_until(lambda: client.exists("orders") == 1 and bool(client.xinfo_groups("orders")), LONG, "a new group")
        opened(worker="sender").send(order(1))
        assert [number_of(envelope) for envelope in wait.result(LONG)] == [1]


def test_a_waiting_read_whose_connection_is_cut_says_so_and_the_next_one_works(
    opened: Open, client: redis.Redis
) -> None:
    transport = opened(PATIENT)
    with ThreadPoolExecutor(1) as pool:
        wait = pool.submit(transport.get, DAY, never)
        becomes_blocked(client)
        client.client_kill_filter(_id=blocked(client)[0]["id"])
        assert isinstance(wait.exception(LONG), TransportUnavailable)
    transport.send(order(1))
    assert number_of(take(transport)) == 1


def test_a_waiting_read_looks_for_abandoned_messages_now_and_then(opened: Open, client: redis.Redis) -> None:
    dead, alive = opened(worker="dead"), opened("/orders?claim_interval=200", worker="alive")
    dead.send(order(1))
    take(dead)
    with ThreadPoolExecutor(1) as pool:
        wait = pool.submit(alive.get, DAY, never)
        becomes_blocked(client)
        (pending,) = client.xpending_range("orders", "symfony", "-", "+", 10)
        client.xclaim("orders", "symfony", "dead", 0, [pending["message_id"]], idle=61_000, justid=True)
        assert [number_of(envelope) for envelope in wait.result(LONG)] == [1]


# --- begin and end ------------------------------------------------------------------------------------------------


def test_a_message_makes_the_descriptor_readable(opened: Open) -> None:
    transport = opened(PATIENT)
    assert isinstance(transport, WakingTransport)
    waiting = transport.begin_wait(DAY)
    assert not readable(waiting.fds[0], 0)
    opened(worker="sender").send(order(1))
    assert readable(waiting.fds[0])
    assert [number_of(envelope) for envelope in transport.end_wait()] == [1]


def test_what_is_there_already_makes_it_readable(opened: Open) -> None:
    transport = opened(PATIENT)
    transport.send(order(1))
    transport.send(order(2))
    transport.send(order(3))
    assert readable(transport.begin_wait(DAY, 2).fds[0])
    assert [number_of(envelope) for envelope in transport.end_wait()] == [1, 2]


def test_a_wait_that_is_ended_at_once_leaves_nobody_blocked(opened: Open, client: redis.Redis) -> None:
    transport = opened(PATIENT)
    for _ in range(200):  # the end often overtakes the beginning here
        transport.begin_wait(DAY)
        assert transport.end_wait() == []
    assert blocked(client) == []
    assert transport.depth() == Depth(0, 0, 0)


def test_ending_opens_one_connection_and_not_one_each_time(opened: Open, client: redis.Redis) -> None:
    transport = opened(PATIENT)
    transport.begin_wait(DAY)
    transport.end_wait()
    before = client.info("stats")["total_connections_received"]
    for _ in range(20):
        transport.begin_wait(DAY)
        transport.end_wait()
    assert client.info("stats")["total_connections_received"] == before


def test_nothing_is_lost_in_the_moment_of_ending(opened: Open, client: redis.Redis) -> None:
    transport, sender, count = opened(PATIENT), opened(worker="sender"), 1500
    transport.setup()

    def send() -> None:
        for number in range(count):
            sender.send(order(number))

    found: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send)
        while len(found) < count:
            transport.begin_wait(DAY)
            taken = transport.end_wait()
            found += [number_of(envelope) for envelope in taken]
            for envelope in taken:
                transport.ack(envelope)
            assert not (sending.done() and not taken and len(found) < count), "a message was handed out and lost"
        sending.result()
    assert found == list(range(count))
    assert transport.depth() == Depth(0, 0, 0)


def test_two_transports_are_waited_for_at_once(opened: Open) -> None:
    first, second = opened("/first"), opened("/second")
    waits = [first.begin_wait(DAY), second.begin_wait(DAY)]
    opened("/second", worker="sender").send(order(2))
    assert select.select([wait.fds[0] for wait in waits], [], [], LONG)[0] == [waits[1].fds[0]]
    assert first.end_wait() == []
    assert [number_of(envelope) for envelope in second.end_wait()] == [2]


def test_it_says_when_to_look_again(opened: Open) -> None:
    transport = opened("/orders?claim_interval=50000")
    transport.get(0, never)
    assert 0 < transport.begin_wait(DAY).seconds <= 50
    transport.end_wait()
    transport.send(order(1).with_stamps(DelayStamp(10_000)))
    assert 0 < transport.begin_wait(DAY).seconds <= 10
    transport.end_wait()
    assert transport.begin_wait(3).seconds == 3
    transport.end_wait()


def test_what_is_due_when_the_wait_begins_is_handed_out(opened: Open) -> None:
    transport, sender = opened(PATIENT), opened(worker="sender")
    sender.send(order(1).with_stamps(DelayStamp(1)))
    wait_until(lambda: (sender.depth().next_due_seconds or 0) < 0, LONG, "it is due")
    assert readable(transport.begin_wait(DAY).fds[0])
    assert [number_of(envelope) for envelope in transport.end_wait()] == [1]


@pytest.mark.parametrize("how", ["flushed", "destroyed", "cut"])
def test_a_wait_that_is_disturbed(opened: Open, client: redis.Redis, how: str) -> None:
    transport = opened(PATIENT)
    waiting = transport.begin_wait(DAY)
    becomes_blocked(client)
    if how == "flushed":
        client.flushall()
    elif how == "destroyed":
        client.xgroup_destroy("orders", "symfony")
    else:
        client.client_kill_filter(_id=blocked(client)[0]["id"])
    assert readable(waiting.fds[0])
    if how == "cut":
        with pytest.raises(TransportUnavailable):
            transport.end_wait()
    else:
        assert transport.end_wait() == []
    transport.send(order(1))
    assert number_of(take(transport)) == 1


def test_a_wait_that_nobody_ended_is_given_up(opened: Open, client: redis.Redis) -> None:
    transport = opened(PATIENT)
    transport.begin_wait(DAY)
    becomes_blocked(client)
    assert transport.depth() == Depth(0, 0, 0)
    wait_until(lambda: not blocked(client), LONG, "nobody blocked")
    transport.begin_wait(DAY)
    transport.close()
    wait_until(lambda: not blocked(client), LONG, "nobody blocked")
    with pytest.raises(TransportUnavailable):
        transport.end_wait()


@pytest.mark.parametrize(
    "dsn",
    [
        f"rediss://{ENCODED}@127.0.0.1:TPORT/orders?ssl[cafile]=CA",
        f"redis://{ENCODED}@SOCKET?stream=orders",
    ],
)
def test_over_tls_and_a_socket(locked: LockedRedis, opened: Open, dsn: str) -> None:
    def open_() -> RedisTransport:
        return opened(locked.filled(dsn), worker="w")

    transport, sender = open_(), open_()
    for number in range(50):
        waiting = transport.begin_wait(DAY)
        if number % 2:
            sender.send(order(number))
            assert readable(waiting.fds[0])
        taken = transport.end_wait()
        assert [number_of(envelope) for envelope in taken] == [number] * (number % 2)


@pytest.mark.parametrize("refused", [["client|unblock"], ["client|unblock", "client|id"]])
def test_who_may_not_unblock_waits_until_the_time_is_over(
    locked: LockedRedis, opened: Open, refused: list[str]
) -> None:
    with locked.client() as admin:
        rights = ("~*", "&*", "+@all", *(f"-{command}" for command in refused))
        admin.execute_command("ACL", "SETUSER", "bob", "reset", "on", f">{PASSWORD}", *rights)
    transport = opened(f"redis://bob:{ENCODED}@127.0.0.1:{locked.port}/orders")
    transport.begin_wait(0.3)
    assert transport.end_wait() == []
    transport.begin_wait(0.3)
    transport_of_another = opened(f"redis://{ENCODED}@127.0.0.1:{locked.port}/orders", worker="sender")
    transport_of_another.send(order(1))
    assert [number_of(envelope) for envelope in transport.end_wait()] == [1]
