"""doctrine_transaction in a worker."""

from __future__ import annotations

import json

from tests.integration.sql.outboxed import Outboxed


def order(outboxed: Outboxed, do: str = "") -> None:
    """Put an order into the stream of the transport `other`."""
    headers = {"type": f"{outboxed.shop.module}.Order", "Content-Type": "application/json"}
    outboxed.put("other", {"body": json.dumps({"do": do}), "headers": headers})


def counts(outboxed: Outboxed) -> tuple[int, int]:
    """How many orders there are, and how many messages about them."""
    return outboxed.shop.sql("SELECT count(*) FROM orders")[0][0], outboxed.depth().ready


def test_a_failed_try_leaves_nothing_and_the_retry_runs_every_handler(outboxed: Outboxed) -> None:
    outboxed.shop.sql("CREATE TABLE orders (number INTEGER)")
    order(outboxed, "fail once")
    log = outboxed.consume("other", 2)
    assert log.count("message_retried") == log.count("message_handled") == 1
    assert outboxed.events() == ["order", "order"]
    assert counts(outboxed) == (1, 1)


def test_while_the_database_is_away_no_try_is_used_up(postgres_outboxed: Outboxed) -> None:
    outboxed, server = postgres_outboxed, postgres_outboxed.shop.server
    outboxed.shop.sql("CREATE TABLE orders (number INTEGER)")
    assert server is not None
    server.stop()
    order(outboxed)
    worker = outboxed.start("consume", "other").started()
    worker.wait_for("message_put_back transport=other", times=3)
    server.start()
    worker.wait_for("message_handled transport=other")
    assert counts(outboxed) == (1, 1)
    assert "message_retried" not in worker.log
