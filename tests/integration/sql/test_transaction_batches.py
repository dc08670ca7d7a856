"""doctrine_transaction and batch handlers: they run after the commit, and a failure is told when they are done."""

from __future__ import annotations

import pytest

from messenger import HandlerDefinitionError, HandlerFailed
from messenger.application import Application
from messenger.envelope import AnyEnvelope
from messenger.handling.batch import AckStamp, NoAutoAckStamp, Unsettled
from messenger.stamps import HandledStamp, ReceivedStamp
from tests.integration.sql.shop import Shop
from tests.integration.sql.test_transaction import MODULE, YAML, orders

BATCH = (
    MODULE.replace("import Disp", "import Batch, Disp")
    + """
@handler(batch=Batch(size=5))
def together(messages: list[Order]):
    ran.append("together")
"""
)


def received(application: Application, message: object, outcomes: list[Exception | None]) -> AnyEnvelope:
    """Handle a message as a worker does."""
    return application.dispatch(message, [ReceivedStamp("placed"), AckStamp(outcomes.append)])


def test_a_batch_handler_gets_no_connection(shop: Shop) -> None:
    asking = BATCH.replace("messages: list[Order]", "messages: list[Order], connection: Connection")
    with pytest.raises(HandlerDefinitionError, match="a batch handler gets no sqlalchemy.*Connection: it is made for"):
        shop.load(asking, YAML).check_handlers()


def test_a_batch_handler_runs_after_the_commit(shop: Shop) -> None:
    shop.sql("CREATE TABLE orders (name VARCHAR(50))")
    application = shop.load(BATCH, YAML)
    outcomes: list[Exception | None] = []
    received(application, shop.Order(), outcomes)
    assert (shop.ran, orders(shop)) == (["first", "second"], ["first", "second"])
    application.batches.flush(force=True)
    assert shop.ran[2:] == ["together"]
    assert outcomes == [None]


def test_beside_a_batch_handler_a_failure_undoes_the_others(shop: Shop) -> None:
    shop.sql("CREATE TABLE orders (name VARCHAR(50))")
    application = shop.load(BATCH, YAML)
    outcomes: list[Exception | None] = []
    left = received(application, shop.Order("fail"), outcomes).last(NoAutoAckStamp)
    assert left is not None
    assert isinstance(left.unsettled, Unsettled)
    assert orders(shop) == []
    application.batches.flush(force=True)
    (error,) = outcomes
    assert isinstance(error, HandlerFailed)
    assert [stamp.handler_name for stamp in error.envelope.all(HandledStamp)] == [f"{shop.module}.together"]


def test_beside_a_batch_handler_a_commit_that_fails_is_told_when_it_is_done(shop: Shop) -> None:
    shop.sql("CREATE TABLE orders (name VARCHAR(50))")
    application = shop.load(BATCH, YAML)
    outcomes: list[Exception | None] = []
    received(application, shop.Order("close"), outcomes)
    assert outcomes == []
    application.batches.flush(force=True)
    (error,) = outcomes
    assert isinstance(error, HandlerFailed)
    assert "a handler closed its connection" in str(error)
    assert [stamp.handler_name for stamp in error.envelope.all(HandledStamp)] == [f"{shop.module}.together"]
