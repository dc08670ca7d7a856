"""Workers of both sides in one consumer group."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.php.peers import Ours, Php, WorkerProcess
from tests.support.servers import RedisServer, wait_until

EACH_SIDE = 500
SIDES = pytest.mark.parametrize("killed", ["php", "ours"])
# A lease of one second, looked at ten times a second.
SHORT_LEASE = {"redeliver_timeout": "1", "claim_interval": "100"}


def pending(redis_server: RedisServer) -> int:
    """How many messages some worker holds."""
    with redis_server.client() as client:
        count: int = client.xpending("messages", "symfony")["pending"]
        return count


def handled(workers: list[WorkerProcess]) -> list[str]:
    """What they have handled together."""
    return [content for worker in workers for content in worker.contents()]


def test_500_messages_of_each_side_are_handled_once_by_workers_of_both(php: Php, ours: Ours, tmp_path: Path) -> None:
    """Each of the four workers holds a message before any of them may finish one, so all of them take part."""
    gate = tmp_path / "gate"
    from_php, from_us = ([f"{side} {number}" for number in range(EACH_SIDE)] for side in ("php", "ours"))
    expected = from_php + from_us
    more = len(expected) + 1  # a message handled twice is not kept from happening by the limit
    with ExitStack() as stack:
        workers = [stack.enter_context(php.worker(limit=more, gate=gate)) for _ in range(2)]
        workers += [stack.enter_context(ours.worker(limit=more, gate=gate)) for _ in range(2)]
        php.dispatch(*from_php)
        ours.dispatch(*from_us)
        for worker in workers:
            worker.wait_for("received")
        gate.touch()
        wait_until(lambda: len(handled(workers)) >= len(expected), 60, "all messages handled")
        for worker in workers:
            worker.stop()
        assert Counter(handled(workers)) == Counter(expected)
        assert all(worker.contents() for worker in workers)
    assert ours.waiting() == []
    assert ours.waiting("failed") == []


@SIDES
def test_a_killed_worker_s_message_is_taken_over_by_the_other_side(
    php: Php, ours: Ours, redis_server: RedisServer, tmp_path: Path, killed: str
) -> None:
    victim, rescuer = (php, ours) if killed == "php" else (ours, php)
    php.dsn_options |= SHORT_LEASE
    ours.dsn_options |= SHORT_LEASE
    victim.dispatch("rescue me")
    with victim.worker(gate=tmp_path / "never") as worker:
        worker.wait_for("received")
        worker.kill()
        assert worker.contents() == []
    assert pending(redis_server) == 1
    rescue = rescuer.consume()
    assert rescue.contents() == ["rescue me"]
    if rescuer is ours:
        assert "delivery=2" in rescue.errors()
    assert pending(redis_server) == 0
    assert ours.waiting() == []


def test_php_does_not_take_what_is_still_being_handled_here(php: Php, ours: Ours, tmp_path: Path) -> None:
    """The lease of two seconds is renewed all the time; PHP, which looks for expired ones, works beside it for five."""
    lease = {"redeliver_timeout": "2", "claim_interval": "100"}
    php.dsn_options |= lease
    ours.dsn_options |= lease
    gate = tmp_path / "gate"
    ours.dispatch("takes long")
    with ours.worker(gate=gate) as worker:
        worker.wait_for("received")
        php.dispatch("later", delay=5000)
        assert php.consume().contents("received") == ["later"]
        gate.touch()
        worker.finish()
        assert worker.contents() == ["takes long"]
    assert ours.waiting() == []
