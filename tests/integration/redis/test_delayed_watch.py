"""A waiting worker learns at once of a message that is due before its wait ends, whoever stored it."""

from __future__ import annotations

import time

import pytest
import redis

from messenger.stamps import DelayStamp
from messenger.transports.redis.transport import RedisTransport
from tests.integration.redis.conftest import Open
from tests.integration.redis.orders import LONG, number_of, order, stored, take
from tests.integration.worker.project import Project
from tests.support.servers import RedisServer, wait_until

DAY = 86_400.0


def from_here(client: redis.Redis, transport: RedisTransport) -> None:
    transport.send(order(1).with_stamps(DelayStamp(100)))


def from_elsewhere(client: redis.Redis, transport: RedisTransport) -> None:
    """As PHP does: no script, no word to anybody."""
    client.zadd("orders__queue", {stored(1, uniqid="a"): time.time() * 1000 + 100})


@pytest.mark.parametrize("send", [from_here, from_elsewhere])
def test_a_wait_ends_for_a_delayed_message(opened: Open, client: redis.Redis, send: object) -> None:
    waiting, sender = opened("/orders?read_timeout=0"), opened("/orders", "sender")
    assert callable(send)
    begun = waiting.begin_wait(DAY)
    assert len(begun.fds) == 2
    send(client, sender)
    wait_until(lambda: readable(begun.fds[1]), LONG, "it is told of the message")
    assert waiting.end_wait() == []
    assert waiting.begin_wait(DAY).seconds < 0.2, "it waits until the message is due"
    waiting.end_wait()
    assert number_of(take(waiting)) == 1


def readable(fd: int) -> bool:
    import select

    return bool(select.select([fd], [], [], 0)[0])


def test_a_storm_of_delayed_messages_does_not_keep_it_from_waiting(opened: Open, client: redis.Redis) -> None:
    waiting, sender = opened(), opened("/orders", "sender")
    for number in range(5):
        begun = waiting.begin_wait(DAY)
        sender.send(order(number).with_stamps(DelayStamp(3_600_000)))
        if len(begun.fds) == 1:
            assert begun.seconds <= 0.05, "it looks again soon by itself"
            break
        wait_until(lambda fd=begun.fds[1]: readable(fd), LONG, "it is told")  # type: ignore[misc]
        waiting.end_wait()
    else:
        pytest.fail("it was woken at once each time")
    waiting.end_wait()


def test_who_may_not_be_told_waits_as_before(opened: Open, redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.execute_command("ACL", "SETUSER", "app", "reset", "on", ">pw", "~*", "+@all", "-client|tracking")
        transport = opened(f"redis://app:pw@127.0.0.1:{redis_server.port}/orders")
        begun = transport.begin_wait(0.2)
        assert len(begun.fds) == 1
        transport.end_wait()
        transport.close()
        client.acl_deluser("app")


def test_a_connection_that_broke_is_made_again(opened: Open, client: redis.Redis) -> None:
    waiting, sender = opened(), opened("/orders", "sender")
    waiting.begin_wait(DAY)
    client.client_kill_filter(_type="pubsub")
    waiting.end_wait()
    wait_until(lambda: len(waiting.begin_wait(DAY).fds) == 2 or bool(waiting.end_wait()), LONG, "it is told again")
    waiting.end_wait()
    begun = waiting.begin_wait(DAY)
    sender.send(order(1).with_stamps(DelayStamp(100)))
    wait_until(lambda: readable(begun.fds[-1]), LONG, "it is told")
    waiting.end_wait()


def test_an_idle_worker_handles_it_when_it_is_due(project: Project) -> None:
    worker = project.worker("async", "--sleep", "1000", "--limit", "1")
    project.wait_for_workers(1, "idle")
    project.run("dispatch", "App\\Message\\Task", '{"name": "a"}', "--delay", "100")
    assert worker.code() == 0
    assert project.events() == ["start a", "done a"]
