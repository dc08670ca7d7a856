"""What becomes of a message that failed, with in-memory transports."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from messenger import (
    Envelope,
    HandlerFailed,
    MessageDecodingFailed,
    RecoverableError,
    TransportUnavailable,
    UnrecoverableError,
)
from messenger.envelope import AnyEnvelope
from messenger.failure.handling import FailureHandling, FailureOutcome
from messenger.failure.retry import MultiplierRetryStrategy
from messenger.messages import MessageRegistry
from messenger.stamps import (
    BusNameStamp,
    DelayStamp,
    ErrorDetailsStamp,
    ForeignHeadersStamp,
    HandledStamp,
    RedeliveryStamp,
    SentToFailureTransportStamp,
)
from messenger.transports.memory import MemoryTransport
from messenger.wire.encoded import UndecodableMessage
from messenger.wire.serializer import Serializer


@dataclass(frozen=True)
class Note:
    text: str = "hello"


def never() -> bool:
    return False


class Away(MemoryTransport):
    """A store that cannot be reached."""

    def send(self, envelope: AnyEnvelope) -> AnyEnvelope:
        raise TransportUnavailable("failed: away")


class Stores:
    """A source `async`, a failure transport `failed`, and the handling between them, on a clock moved by hand."""

    def __init__(self, *, failure: str | None = "failed", retries: int = 3, away: bool = False) -> None:
        self.now = 0.0
        serializer = Serializer(MessageRegistry([Note]))
        self.source = MemoryTransport("async", serializer, clock=lambda: self.now)
        self.failed = (Away if away else MemoryTransport)("failed", serializer, clock=lambda: self.now)
        both = {"async": self.source, "failed": self.failed}
        strategy = MultiplierRetryStrategy(max_retries=retries, jitter=0)
        self.handling = FailureHandling(
            dict.fromkeys(both, strategy), {"async": failure, "failed": failure}, both.__getitem__
        )

    def receive(self, transport: MemoryTransport | None = None) -> AnyEnvelope:
        (envelope,) = (transport or self.source).get(0, never)
        return envelope

    def fail(self, error: Exception, transport: MemoryTransport | None = None) -> FailureOutcome:
        """Receive, fail, settle; then go to when a retry is due."""
        transport = transport or self.source
        outcome = self.handling.settle(transport, self.receive(transport), error)
        self.now += outcome.delay / 1000
        return outcome


def stored(transport: MemoryTransport) -> AnyEnvelope:
    (envelope,) = transport.all(10)
    return envelope


def test_a_failed_message_waits_for_its_retry_in_its_own_transport() -> None:
    stores = Stores()
    stores.source.send(Envelope(Note(), [BusNameStamp("b")]))
    outcome = stores.handling.settle(stores.source, stores.receive(), ValueError("boom"))
    assert outcome == FailureOutcome(will_retry=True, delay=1000)
    assert stores.source.get(0, never) == []
    envelope = stored(stores.source)
    assert envelope.message == Note()
    assert envelope.last(DelayStamp) == DelayStamp(1000)
    assert envelope.last(BusNameStamp) == BusNameStamp("b")
    redelivery = envelope.last(RedeliveryStamp)
    assert redelivery is not None
    assert redelivery.retry_count == 1
    assert envelope.last(ErrorDetailsStamp) == ErrorDetailsStamp("builtins.ValueError", 0, "boom")


def test_after_its_retries_it_rests_in_the_failure_transport() -> None:
    stores = Stores()
    stores.source.send(Envelope(Note()))
    outcomes = [stores.fail(ValueError(f"boom {n}")) for n in range(4)]
    assert [o.delay for o in outcomes] == [1000, 2000, 4000, 0]
    assert outcomes[3] == FailureOutcome(will_retry=False, failure_transport="failed")
    assert stores.source.all(10) == []
    envelope = stored(stores.failed)
    assert envelope.message == Note()
    assert envelope.last(SentToFailureTransportStamp) == SentToFailureTransportStamp("async")
    assert envelope.last(DelayStamp) == DelayStamp(0)
    redelivery = envelope.last(RedeliveryStamp)
    assert redelivery is not None
    assert redelivery.retry_count == 0
    assert envelope.all(ErrorDetailsStamp) == [ErrorDetailsStamp("builtins.ValueError", 0, "boom 3")]


def test_an_unrecoverable_error_goes_there_at_once() -> None:
    stores = Stores()
    stores.source.send(Envelope(Note()))
    assert stores.fail(UnrecoverableError("no such number")).failure_transport == "failed"
    assert stores.source.all(10) == []


def test_a_recoverable_error_is_retried_beyond_the_limit_after_its_own_delay() -> None:
    stores = Stores(retries=0)
    stores.source.send(Envelope(Note()))
    for _ in range(20):
        assert stores.fail(RecoverableError(retry_delay=250)) == FailureOutcome(will_retry=True, delay=250)
    assert stores.failed.all(10) == []


def test_what_cannot_be_decoded_is_put_aside_whole_and_never_retried() -> None:
    stores = Stores()
    foreign = UndecodableMessage("{ body", {"type": "App\\Unknown", "X-Trace": "1"})
    stores.source.send(Envelope(foreign))
    assert stores.fail(MessageDecodingFailed("no class App\\Unknown")).failure_transport == "failed"
    kept = stored(stores.failed)
    assert isinstance(kept.message, UndecodableMessage)
    assert (kept.message.body, kept.message.headers) == (foreign.body, foreign.headers)
    details = kept.last(ErrorDetailsStamp)
    assert details is not None
    assert details.exception_class == "messenger.errors.MessageDecodingFailed"


def test_handlers_that_succeeded_and_foreign_headers_are_kept() -> None:
    stores = Stores()
    stores.source.send(Envelope(Note(), [ForeignHeadersStamp({"X-Trace": "1"})]))
    received = stores.receive()
    done = received.with_stamps(HandledStamp("first", object()))
    stores.handling.settle(stores.source, received, HandlerFailed(done, {"second": ValueError("boom")}))
    envelope = stored(stores.source)
    assert envelope.all(HandledStamp) == [HandledStamp("first")]
    assert envelope.last(ForeignHeadersStamp) == ForeignHeadersStamp({"X-Trace": "1"})
    assert envelope.last(ErrorDetailsStamp) == ErrorDetailsStamp("builtins.ValueError", 0, "boom")


def test_nothing_is_acknowledged_while_the_failure_store_is_away() -> None:
    stores = Stores(away=True)
    stores.source.send(Envelope(Note()))
    received = stores.receive()
    with pytest.raises(TransportUnavailable):
        stores.handling.settle(stores.source, received, UnrecoverableError())
    assert stores.source.depth().in_flight == 1
    assert stores.source.rejected == stores.source.acked == []
    stores.now += 61
    assert stores.receive().message == Note(), "it comes again when its lease has run out"


def test_it_is_discarded_only_where_the_operator_wrote_so() -> None:
    stores = Stores(failure=None)
    stores.source.send(Envelope(Note()))
    assert stores.fail(UnrecoverableError()) == FailureOutcome(will_retry=False, failure_transport=None)
    assert stores.source.all(10) == stores.failed.all(10) == []


def test_a_message_in_a_failure_transport_never_leaves_it_by_failing() -> None:
    stores = Stores()
    stores.source.send(Envelope(Note()))
    stores.fail(UnrecoverableError())
    for error in [ValueError("again"), UnrecoverableError(), RecoverableError(retry_delay=0)] * 5:
        outcome = stores.fail(error, stores.failed)
        assert (outcome.will_retry, outcome.failure_transport) == (False, "failed")
        assert 1000 <= outcome.delay <= 3_600_000
        assert stored(stores.failed).last(SentToFailureTransportStamp) == SentToFailureTransportStamp("async")
    assert stores.source.all(10) == []


def test_a_message_that_came_back_where_it_had_failed_stays_there_and_waits_longer_each_time() -> None:
    """`failed` is the queue of `async` by another name, or both are failure transports of each other."""
    stores = Stores(retries=0)
    stores.source.send(Envelope(Note()).with_stamps(SentToFailureTransportStamp("async")))
    outcomes = [stores.fail(ValueError("boom")) for _ in range(3)]
    assert [outcome.delay for outcome in outcomes] == [1000, 2000, 4000]
    assert {outcome.failure_transport for outcome in outcomes} == {"async"}
    assert stores.failed.all(10) == []


def test_a_failure_transport_may_have_another_one() -> None:
    stores = Stores(retries=0)
    stores.source.send(Envelope(Note()).with_stamps(SentToFailureTransportStamp("other")))
    assert stores.fail(ValueError("boom")).failure_transport == "failed"


def test_not_even_where_failures_are_discarded() -> None:
    stores = Stores(failure=None)
    stores.source.send(Envelope(Note(), [SentToFailureTransportStamp("async")]))
    assert stores.fail(ValueError()).failure_transport == "async"
    assert len(stores.source.all(10)) == 1


def test_the_history_of_stamps_is_kept_to_ten_the_first_included() -> None:
    stores = Stores()
    stores.source.send(Envelope(Note(), [DelayStamp(77)]))
    stores.now += 1
    for number in range(30):
        stores.fail(RecoverableError(retry_delay=number + 1))
    envelope = stored(stores.source)
    assert [s.delay for s in envelope.all(DelayStamp)] == [77, *range(22, 31)]
    assert [s.retry_count for s in envelope.all(RedeliveryStamp)] == [1, *range(22, 31)]


def test_the_envelope_does_not_grow_with_attempts() -> None:
    stores = Stores()
    serializer = Serializer(MessageRegistry([Note]))
    stores.source.send(Envelope(Note()))
    sizes = []
    for _ in range(40):
        stores.fail(RecoverableError("x" * 100_000, retry_delay=1))
        encoded = serializer.encode(stored(stores.source))
        sizes.append(len(encoded.body) + sum(map(len, encoded.headers.values())))
    assert sizes[39] == sizes[20]
    assert sizes[39] < 6000


@pytest.mark.parametrize(("code", "kept"), [(7, 7), ("E42", "E42"), (None, 0), (True, 0), (1.5, 0)])
def test_an_errors_code_is_kept_when_php_can_read_it(code: object, kept: object) -> None:
    stores = Stores()
    stores.source.send(Envelope(Note()))
    error = ValueError("boom")
    error.code = code  # type: ignore[attr-defined]
    stores.fail(error)
    details = stored(stores.source).last(ErrorDetailsStamp)
    assert details is not None
    assert details.exception_code == kept


class Odd(Exception):
    """An error with a text and a code that no JSON carries as they are."""

    def __init__(self, code: object, text: str = "") -> None:
        super().__init__(text)
        self._code = code

    @property
    def code(self) -> object:
        if isinstance(self._code, BaseException):
            raise self._code
        return self._code


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (Odd(7, "cannot read caf\udce9.txt"), 7, "cannot read caf\\udce9.txt"),
        (Odd("E\ud800"), "E\\ud800", ""),
        (Odd(10**30), 0, ""),
        (Odd(SystemExit(3)), 0, ""),
    ],
    ids=["half a character", "in the code", "huge code", "code that exits"],
)
def test_an_error_is_kept_whatever_it_holds(error: Exception, code: int | str, text: str) -> None:
    stores = Stores(retries=0)
    stores.source.send(Envelope(Note()))
    assert stores.fail(error).failure_transport == "failed"
    details = stored(stores.failed).last(ErrorDetailsStamp)
    assert details is not None
    assert (details.exception_code, details.exception_message) == (code, text)
