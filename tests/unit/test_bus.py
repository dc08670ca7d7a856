"""dispatch(): handled at once or sent, through the middleware of a bus."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from messenger import (
    DelayStamp,
    Envelope,
    HandlerFailed,
    MessageBus,
    NoHandlerForMessage,
    NoSenderForMessage,
    TransportError,
)
from messenger.concurrency.event_loops import EventLoops
from messenger.envelope import AnyEnvelope
from messenger.handling.arguments import HandlerArguments
from messenger.handling.batch import Batches
from messenger.handling.call import HandlerCaller
from messenger.handling.registry import Handler, HandlerOptions, HandlerRegistry
from messenger.middleware import AddBusName, HandleMessage, Next, SendMessage
from messenger.middleware.base import BuiltInMiddleware
from messenger.stamps import BusNameStamp, HandledStamp, ReceivedStamp, SentStamp, TransportMessageIdStamp
from messenger.transports.base import Sender
from messenger.transports.memory import MemoryTransport


@dataclass(frozen=True)
class Note:
    text: str = "hello"


class Recorder:
    """Handlers that write down that they ran."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def handler(self, name: str, result: object = None, **options: Any) -> Handler:
        def call(message: Note) -> object:
            self.ran.append(name)
            if isinstance(result, BaseException):
                raise result
            return result

        return Handler(name, call, HandlerOptions((Note,), **options))


def handling(
    *handlers: Handler, bus: str = "b", allow_no_handlers: bool = False, caller: HandlerCaller | None = None
) -> HandleMessage:
    registry = HandlerRegistry(handlers)
    arguments, caller = HandlerArguments(registry), caller or HandlerCaller(EventLoops())
    return HandleMessage(registry, arguments, caller, Batches(caller, arguments), bus, allow_no_handlers)


def senders(*transports: MemoryTransport) -> Callable[[AnyEnvelope], Sequence[tuple[str, Sender]]]:
    return lambda envelope: [(transport.name, transport) for transport in transports]


# --- the chain ----------------------------------------------------------------------------------------------------


def test_middleware_runs_outermost_first_and_returns_inside_out() -> None:
    steps: list[str] = []

    class Step:
        def __init__(self, name: str) -> None:
            self.name = name

        def handle(self, envelope: AnyEnvelope, following: Next) -> AnyEnvelope:
            steps.append(f"in {self.name}")
            result = following(envelope.with_stamps(SentStamp(self.name)))
            steps.append(f"out {self.name}")
            return result

    envelope = MessageBus([Step("a"), Step("b")]).dispatch(Note())
    assert steps == ["in a", "in b", "out b", "out a"]
    assert envelope.all(SentStamp) == [SentStamp("a"), SentStamp("b")]


def test_a_bus_without_middleware_gives_the_envelope_back() -> None:
    assert MessageBus([]).dispatch(Note(), [DelayStamp(3)]) == Envelope(Note(), [DelayStamp(3)])


def test_an_envelope_can_be_dispatched_and_keeps_its_stamps() -> None:
    envelope = MessageBus([]).dispatch(Envelope(Note(), [DelayStamp(1)]), [DelayStamp(2)])
    assert envelope.all(DelayStamp) == [DelayStamp(1), DelayStamp(2)]


def test_a_step_may_end_the_chain() -> None:
    class End:
        def handle(self, envelope: AnyEnvelope, following: Next) -> AnyEnvelope:
            return envelope

    recorder = Recorder()
    MessageBus([End(), handling(recorder.handler("h"))]).dispatch(Note())
    assert recorder.ran == []


def test_a_bus_can_be_used_again_and_from_inside_a_handler() -> None:
    seen: list[str] = []

    def nested(message: Note) -> None:
        seen.append(message.text)
        if message.text == "outer":
            bus.dispatch(Note("inner"))
        seen.append(f"end {message.text}")

    bus = MessageBus([handling(Handler("n", nested, HandlerOptions((Note,))))])
    bus.dispatch(Note("outer"))
    assert seen == ["outer", "inner", "end inner", "end outer"]


class Marked(BuiltInMiddleware):
    """A step for messages with a DelayStamp."""

    only_with = frozenset({DelayStamp})

    def __init__(self) -> None:
        self.seen: list[AnyEnvelope] = []

    def handle(self, envelope: AnyEnvelope, following: Next) -> AnyEnvelope:
        self.seen.append(envelope)
        return following(envelope)


def test_a_built_in_step_runs_only_for_messages_with_its_stamps() -> None:
    step = Marked()
    bus = MessageBus([step])
    bus.dispatch(Note("without"))
    bus.dispatch(Note("with"), [DelayStamp(1)])
    assert [envelope.message for envelope in step.seen] == [Note("with")]


def test_a_stamp_that_a_middleware_of_the_application_adds_counts_for_the_steps_behind_it() -> None:
    class Delay:
        def handle(self, envelope: AnyEnvelope, following: Next) -> AnyEnvelope:
            return following(envelope.with_stamps(DelayStamp(1)))

    before, behind = Marked(), Marked()
    MessageBus([before, Delay(), behind]).dispatch(Note())
    assert not before.seen
    assert len(behind.seen) == 1


# --- bus name -----------------------------------------------------------------------------------------------------


def test_the_bus_name_is_added_once() -> None:
    bus = MessageBus([AddBusName("orders")])
    assert bus.dispatch(Note()).all(BusNameStamp) == [BusNameStamp("orders")]
    assert bus.dispatch(Note(), [BusNameStamp("other")]).all(BusNameStamp) == [BusNameStamp("other")]
    twice = MessageBus([AddBusName("one"), AddBusName("two")])
    assert twice.dispatch(Note()).all(BusNameStamp) == [BusNameStamp("one")]


# --- handling -----------------------------------------------------------------------------------------------------


def test_an_unrouted_message_is_handled_at_once() -> None:
    recorder = Recorder()
    bus = MessageBus([SendMessage(lambda envelope: []), handling(recorder.handler("h", 42))])
    envelope = bus.dispatch(Note())
    assert recorder.ran == ["h"]
    assert envelope.last(HandledStamp) == HandledStamp("h", 42)
    assert envelope.last(SentStamp) is None


def test_unless_the_bus_sends_every_message() -> None:
    recorder = Recorder()
    bus = MessageBus([SendMessage(senders(), allow_no_senders=False), handling(recorder.handler("one"))])
    with pytest.raises(NoSenderForMessage, match=r"Note is routed to no transport: name one under 'routing'"):
        bus.dispatch(Note())
    bus.dispatch(Note(), [ReceivedStamp("async")])
    assert recorder.ran == ["one"], "only the received one"


def test_every_handler_runs_and_each_leaves_its_result() -> None:
    recorder = Recorder()
    bus = MessageBus([handling(recorder.handler("a", 1), recorder.handler("b", None), recorder.handler("c", "x"))])
    assert bus.dispatch(Note()).all(HandledStamp) == [HandledStamp("a", 1), HandledStamp("b"), HandledStamp("c", "x")]


def test_one_that_fails_does_not_stop_the_others() -> None:
    recorder = Recorder()
    first, second = ValueError("boom"), KeyError("k")
    handlers = [recorder.handler("a", first), recorder.handler("b"), recorder.handler("c", second)]
    with pytest.raises(HandlerFailed) as caught:
        MessageBus([handling(*handlers)]).dispatch(Note())
    assert recorder.ran == ["a", "b", "c"]
    assert caught.value.errors == {"a": first, "c": second}
    assert caught.value.envelope.all(HandledStamp) == [HandledStamp("b")]
    assert caught.value.__cause__ is first
    assert str(caught.value) == "a failed: ValueError: boom (and 1 more)"


def test_a_retry_skips_the_handlers_that_succeeded() -> None:
    recorder = Recorder()
    handlers = [recorder.handler("a", ValueError()), recorder.handler("b"), recorder.handler("c")]
    bus = MessageBus([handling(*handlers)])
    with pytest.raises(HandlerFailed) as caught:
        bus.dispatch(Note())
    recorder.ran.clear()
    with pytest.raises(HandlerFailed) as again:
        bus.dispatch(caught.value.envelope)
    assert recorder.ran == ["a"]
    assert [s.handler_name for s in again.value.envelope.all(HandledStamp)] == ["b", "c"]


def test_a_message_whose_handlers_all_succeeded_before_is_done() -> None:
    recorder = Recorder()
    MessageBus([handling(recorder.handler("a"))]).dispatch(Note(), [HandledStamp("a")])
    assert recorder.ran == []


def test_nobody_to_handle_it_is_an_error_that_says_where_to_look() -> None:
    with pytest.raises(NoHandlerForMessage, match=rf"no handler for {__name__}.Note: .*'handlers' in messenger.yaml"):
        MessageBus([handling()]).dispatch(Note())


def test_unless_that_is_allowed() -> None:
    assert MessageBus([handling(allow_no_handlers=True)]).dispatch(Note()).message == Note()


def test_a_handler_of_another_bus_is_not_called() -> None:
    recorder = Recorder()
    handlers = [recorder.handler("mine", bus="b"), recorder.handler("theirs", bus="c"), recorder.handler("any")]
    MessageBus([handling(*handlers)]).dispatch(Note())
    assert recorder.ran == ["mine", "any"]


def test_from_transport_counts_for_received_messages_only() -> None:
    recorder = Recorder()
    handlers = [recorder.handler("fast", from_transport="fast"), recorder.handler("slow", from_transport="slow")]
    bus = MessageBus([handling(*handlers)])
    bus.dispatch(Note(), [ReceivedStamp("slow"), ReceivedStamp("fast")])
    assert recorder.ran == ["fast"]
    bus.dispatch(Note())
    assert recorder.ran == ["fast", "fast", "slow"]


def test_exit_in_a_handler_is_a_failure_of_that_handler() -> None:
    recorder = Recorder()
    handlers = [recorder.handler("a", SystemExit(3)), recorder.handler("b")]
    with pytest.raises(HandlerFailed, match=r"a failed: RuntimeError: the handler called exit\(3\)"):
        MessageBus([handling(*handlers)]).dispatch(Note())
    assert recorder.ran == ["a", "b"]


# --- async handlers -----------------------------------------------------------------------------------------------


def asynchronous(name: str, call: Callable[[Note], Any]) -> Handler:
    return Handler(name, call, HandlerOptions((Note,)))


def test_an_async_handler_is_run_to_its_end_on_one_loop() -> None:
    loops: list[object] = []

    async def call(message: Note) -> str:
        await asyncio.sleep(0)
        loops.append(asyncio.get_running_loop())
        return message.text

    event_loops = EventLoops()
    caller = HandlerCaller(event_loops)
    step = handling(asynchronous("a", call), caller=caller)
    bus = MessageBus([step])
    assert bus.dispatch(Note("x")).last(HandledStamp) == HandledStamp("a", "x")
    bus.dispatch(Note())
    assert loops[0] is loops[1], "a client kept between messages must stay usable"
    event_loops.close()
    assert bus.dispatch(Note("again")).last(HandledStamp) == HandledStamp("a", "again")
    event_loops.close()


def test_exit_in_an_async_handler_leaves_the_loop_usable() -> None:
    async def call(message: Note) -> str:
        if message.text == "exit":
            raise SystemExit(1)
        return message.text

    event_loops = EventLoops()
    caller = HandlerCaller(event_loops)
    step = handling(asynchronous("a", call), caller=caller)
    bus = MessageBus([step])
    with pytest.raises(HandlerFailed, match=r"exit\(1\)"):
        bus.dispatch(Note("exit"))
    assert bus.dispatch(Note("next")).last(HandledStamp) == HandledStamp("a", "next")
    event_loops.close()


def test_a_cancelled_async_handler_is_a_failure_of_that_handler() -> None:
    async def call(message: Note) -> None:
        task = asyncio.ensure_future(asyncio.sleep(60))
        task.cancel()
        await task

    recorder = Recorder()
    event_loops = EventLoops()
    caller = HandlerCaller(event_loops)
    step = handling(asynchronous("a", call), recorder.handler("b"), caller=caller)
    with pytest.raises(HandlerFailed, match="a failed: RuntimeError: .*cancelled"):
        MessageBus([step]).dispatch(Note())
    assert recorder.ran == ["b"]
    event_loops.close()


# --- sending ------------------------------------------------------------------------------------------------------


def test_a_routed_message_is_sent_and_not_handled() -> None:
    recorder, transport = Recorder(), MemoryTransport("async")
    bus = MessageBus([SendMessage(senders(transport)), handling(recorder.handler("h"))])
    envelope = bus.dispatch(Note(), [DelayStamp(0)])
    assert recorder.ran == []
    assert [sent.message for sent in transport.sent] == [Note()]
    assert envelope.all(SentStamp) == [SentStamp("async")]
    assert envelope.last(TransportMessageIdStamp) == TransportMessageIdStamp("1")


def test_it_is_sent_to_every_transport() -> None:
    one, two = MemoryTransport("one"), MemoryTransport("two")
    envelope = MessageBus([SendMessage(senders(one, two))]).dispatch(Note())
    assert [stamp.transport_name for stamp in envelope.all(SentStamp)] == ["one", "two"]
    assert len(one.sent) == len(two.sent) == 1


def test_a_received_message_is_handled_and_not_sent_again() -> None:
    recorder, transport = Recorder(), MemoryTransport("async")
    bus = MessageBus([SendMessage(senders(transport)), handling(recorder.handler("h"))])
    bus.dispatch(Note(), [ReceivedStamp("async")])
    assert recorder.ran == ["h"]
    assert transport.sent == []


def test_a_transport_that_refuses_is_heard() -> None:
    class Broken(MemoryTransport):
        def send(self, envelope: AnyEnvelope) -> AnyEnvelope:
            raise TransportError("full")

    with pytest.raises(TransportError, match="full"):
        MessageBus([SendMessage(senders(Broken("async")))]).dispatch(Note())
