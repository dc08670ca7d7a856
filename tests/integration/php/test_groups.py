"""PHP and Python on one stream, each in a group of its own."""

from __future__ import annotations

import pytest

from tests.integration.php.peers import END_SECONDS, Ours, Php
from tests.support.servers import RedisServer, wait_until

KEEP = {"delete_after_ack": "false", "delete_after_reject": "false"}


@pytest.fixture
def of_two_groups(php: Php, ours: Ours, redis_server: RedisServer) -> None:
    """PHP's group is `symfony`, ours is `ours`; both are there."""
    ours.dsn_options |= {"group": "ours", "claim_interval": "50"}
    ours.run("setup-transports")
    with redis_server.client() as client:
        client.xgroup_create("messages", "symfony", "0")


@pytest.mark.usefixtures("of_two_groups")
def test_each_side_handles_every_message_and_ours_deletes_it_when_both_have(
    php: Php, ours: Ours, redis_server: RedisServer
) -> None:
    php.dsn_options |= KEEP
    php.dispatch("from php", "from php, too")
    ours.dispatch("from us")
    ours.dispatch("from us, later", delay=50)
    with ours.worker(limit=100) as worker, redis_server.client() as client:
        worker.wait_for("handled", 4)
        assert client.xlen("messages") == 4, "PHP has not read them"
        assert sorted(php.consume(limit=4).contents()) == sorted(worker.contents())
        wait_until(lambda: client.xlen("messages") == 0, END_SECONDS, "what both have handled is deleted")
        worker.stop()


@pytest.mark.usefixtures("of_two_groups")
def test_php_also_handles_what_we_retry(php: Php, ours: Ours) -> None:
    php.dsn_options |= KEEP
    ours.max_retries = 1
    ours.dispatch("fails here")
    assert ours.consume(limit=2, fail=True).contents() == []
    assert php.consume(limit=2).contents() == ["fails here"] * 2
    (kept,) = ours.waiting("failed")
    assert kept.message is not None


@pytest.mark.usefixtures("of_two_groups")
def test_php_refuses_to_delete_where_there_are_two_groups(php: Php, ours: Ours) -> None:
    ours.dispatch("x")
    with php.worker() as worker:
        assert worker.process.wait(END_SECONDS) != 0
        assert "group" in worker.errors()
