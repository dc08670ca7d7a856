"""The list of commands that a user needs (transports/redis/commands.py), against what Redis is really sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
import redis

from messenger import NotReplicated
from messenger.control.plane import Control, Reply, Scope, WorkerInfo
from messenger.deduplication.in_redis import RedisLockStore
from messenger.envelope import AnyEnvelope
from messenger.rate_limit.in_redis import RedisRateLimiter
from messenger.rate_limit.limiter import Rate
from messenger.redis.open import connect
from messenger.redis.options import RedisOptions
from messenger.stamps import DelayStamp
from messenger.transports.redis.commands import (
    RequiredCommand,
    control_commands,
    deduplicate_commands,
    limiter_commands,
    transport_commands,
)
from messenger.transports.redis.transport import RedisTransport
from tests.integration.redis.conftest import Open
from tests.integration.redis.orders import LONG, number_of, order, take
from tests.support.servers import RedisServer

DSN = "/orders/symfony/me?redeliver_timeout=1&claim_interval=10&dbindex=1"
BOUNDED = "/bounded/symfony/me?dbindex=1&stream_max_entries=1&delete_after_ack=false&delete_after_reject=false"
BOUNDED += "&wait_replicas=1&wait_replicas_timeout=0.01"
GROUPED = "/grouped/symfony/me?dbindex=1&claim_interval=1"
# redis-py tells its name and version, and goes on where that is refused. Without the others a waiting worker is not
# told of delayed messages, and looks by itself.
NOT_NEEDED = {"client|setinfo", "client|tracking", "subscribe", "__redis__:invalidate"}
PASSWORD = "pass-word-of-the-test"
INFO = WorkerInfo("w", "h", 1, "p", "p1", "r", ["async"], "idle", None, None, 0, 0, 0, "now", 0.0)


@pytest.fixture
def lived(opened: Open, redis_server: RedisServer) -> Iterator[Callable[..., None]]:
    """Runs all that a transport, the control plane, a rate limiter and a lock do. user: name and password for a DSN."""

    def live(user: str = "") -> None:
        prefix = f"redis://{user}127.0.0.1:{redis_server.port}"
        live_as_transport(opened(prefix + DSN, "one"), opened(prefix + DSN.replace("/me", ""), "two"))
        live_bounded(opened(prefix + BOUNDED, "one"))
        live_in_groups(opened(prefix + GROUPED, "one"), opened(prefix + GROUPED.replace("symfony/me", "other"), "two"))
        live_as_control(opened(prefix + DSN, "three").options)

    yield live
    with redis_server.client() as client:
        client.acl_deluser("app")


def delayed(number: int, milliseconds: int) -> AnyEnvelope:
    return order(number).with_stamps(DelayStamp(milliseconds))


def live_as_transport(transport: RedisTransport, other: RedisTransport) -> None:
    """All its methods, and each way that a message may go."""
    for number in range(4):
        transport.send(order(number))
    transport.send(delayed(5, 1))
    transport.send(delayed(6, 3_600_000))
    acked, requeued, rejected, held = (take(transport) for _ in range(4))
    transport.keepalive(acked)
    transport.ack(acked)
    transport.requeue(requeued, delayed(2, 1))
    transport.reject(rejected)
    transport.hand_back(held)
    transport.ack(take(other))  # taken over
    for message in transport.all(10):
        assert message.id is not None
        assert transport.find(message.id) is not None
    (*_, later) = transport.all(10)
    transport.requeue(later, order(6))  # from where the delayed ones are
    transport.depth()
    transport.in_flight()
    transport.begin_wait(LONG)
    transport.end_wait()
    for _ in range(3):
        transport.ack(take(transport))
    other.close()
    transport.close()


def live_bounded(transport: RedisTransport) -> None:
    """With a maximum, handled messages are removed for new ones; and there is no replica to wait for."""
    for number in range(3):
        with suppress(NotReplicated):
            transport.send(order(number))
        transport.ack(take(transport))
    transport.begin_wait(LONG)  # there is nothing: it must be woken
    transport.end_wait()
    transport.close()


def live_in_groups(transport: RedisTransport, other: RedisTransport) -> None:
    """One passes over what the other has put back, and deletes what both have handled."""
    for each in (transport, other, transport):
        each.setup()
    other.send(order(1))
    failed = take(other)
    other.requeue(failed, failed)
    transport.ack(take(transport))
    transport.send(order(2))
    assert number_of(take(transport)) == 2
    transport.depth()
    for each in (transport, other):
        each.close()


def live_as_control(options: RedisOptions) -> None:
    """All that workers and operators tell each other, a rate limit, and the lock of a message."""
    control = Control(options, "test")
    control.report(INFO)
    assert [worker.id for worker in control.workers()] == ["w"]
    control.ask_to_stop([Scope(), Scope("h")])
    control.pause(Scope(pool="p"), "ann", "")
    directives = control.directives("h", "p", "r")
    assert directives.stop_generation == 2
    assert directives.pause is not None
    assert control.resume(Scope("h")) is False
    assert control.resume(Scope())
    control.resume(Scope(pool="p"))
    options_of = replace(options, stream="test")
    connect(options_of).pipeline([("SET", "test:workers", "a text"), ("HSET", "test:paused", "all", "no JSON")])
    assert [problem.name for problem in control.repairs.repair()[0]] == [b"all", None]
    control.reply("token", Reply("handled", "w", 1.0))
    assert control.await_reply("token", LONG) is not None
    control.deregister("w")
    control.close()
    limiter = RedisRateLimiter(options, "test:rate:gateway", Rate(1, 60.0), in_turn=True)
    assert limiter.acquire("key") == 0.0
    assert limiter.acquire("key") > 0.0
    limiter.give_back("key")
    limiter.close()
    locks = RedisLockStore(options, "test:deduplicate")
    assert locks.take("key", "one", 60.0) == "one"
    assert locks.take("key", "two", 60.0) == "one"
    locks.renew("key", "one", 120.0)
    locks.release("key", "one")
    locks.close()


def needed(options: RedisOptions) -> list[RequiredCommand]:
    """What the list says for this life."""
    more = [replace(options, stream="bounded", wait_replicas=1), replace(options, stream="grouped")]
    more.append(replace(more[1], group="other"))
    transports = [needed for each in (options, *more) for needed in transport_commands(each)]
    return [
        *transports,
        *control_commands("test"),
        *limiter_commands("test", ["gateway"]),
        *deduplicate_commands("test"),
    ]


def test_the_list_has_what_is_sent_and_no_more(lived: Callable[..., None], opened: Open, client: redis.Redis) -> None:
    """By Redis' own counts, which have the commands of scripts, too; MONITOR does not show CLIENT UNBLOCK."""
    client.config_resetstat()
    lived()
    counted: Any = client.info("commandstats")
    sent = {name.removeprefix("cmdstat_") for name in counted}
    listed = {each.name for each in needed(opened(DSN, "asked").options)}
    assert (sent | {"multi"}) - NOT_NEEDED - {"config|resetstat", "info"} == listed


def test_a_user_who_may_do_no_more_than_the_list_is_refused_nothing(
    lived: Callable[..., None], opened: Open, redis_server: RedisServer, client: redis.Redis
) -> None:
    wanted = needed(opened(DSN, "asked").options)
    rules = [f"+{each.name}" for each in wanted] + [f"~{each.key}" for each in wanted if each.key is not None]
    with redis_server.client() as administrator:
        arguments: Any = ("ACL", "SETUSER", "app", "reset", "on", f">{PASSWORD}", *rules)
        administrator.execute_command(*arguments)
        administrator.acl_log_reset()
        lived(f"app:{PASSWORD}@")
        refused = {entry["object"] for entry in administrator.acl_log()}
    assert refused <= NOT_NEEDED
