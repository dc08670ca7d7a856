"""MessageBus: dispatch() through a chain of middleware."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextvars import copy_context
from inspect import iscoroutine
from typing import Any, TypeVar, overload

from messenger.concurrency.async_dispatch import AsyncDispatch
from messenger.concurrency.event_loops import EventLoops
from messenger.envelope import AnyEnvelope, Envelope
from messenger.errors import MessengerError, NotOneResult
from messenger.messages import dotted_name, wire_name
from messenger.middleware.base import Middleware, Next
from messenger.stamps import HandledStamp, SentStamp, Stamp

M = TypeVar("M")


class MessageBus:
    """Sends messages and has them handled.

    middleware: the chain, outermost first. async_dispatch: runs the dispatches of async callers.
    """

    def __init__(
        self,
        middleware: Sequence[Middleware],
        *,
        name: str = "messenger.bus.default",
        async_dispatch: AsyncDispatch | None = None,
    ) -> None:
        self.name = name
        self._entry = _chain(middleware)
        self._async_dispatch = async_dispatch or AsyncDispatch(EventLoops())

    @overload
    def dispatch(self, message: Envelope[M], stamps: Iterable[Stamp] = ()) -> Envelope[M]: ...

    @overload
    def dispatch(self, message: M, stamps: Iterable[Stamp] = ()) -> Envelope[M]: ...

    def dispatch(self, message: Any, stamps: Iterable[Stamp] = ()) -> AnyEnvelope:
        """Send a message to the transports it is routed to, or handle it at once when there are none.

        When this returns, each transport has confirmed that it holds the message. It runs in a copy of the context: a
        context variable that middleware or a handler sets is seen by no other message, nor by the caller.

        stamps: appended to the envelope, e.g. ``[DelayStamp(5000)]``.

        Raises TransportError when a transport refused it, HandlerFailed when it was handled at once and failed,
        NoHandlerForMessage when nobody takes it, MessageEncodingFailed when it would not arrive as it is,
        MessengerError when a middleware returned no envelope.
        """
        return copy_context().run(self._entry, Envelope.wrap(message, stamps))

    @overload
    async def dispatch_async(self, message: Envelope[M], stamps: Iterable[Stamp] = ()) -> Envelope[M]: ...

    @overload
    async def dispatch_async(self, message: M, stamps: Iterable[Stamp] = ()) -> Envelope[M]: ...

    async def dispatch_async(self, message: Any, stamps: Iterable[Stamp] = ()) -> AnyEnvelope:
        """Dispatch as `dispatch` does, from a coroutine: its event loop goes on meanwhile; async handlers run on it.

        The rest runs in a thread. When this is cancelled, as by `asyncio.timeout`, the message may still be sent.
        """
        return await self._async_dispatch.run(lambda: self._entry(Envelope.wrap(message, stamps)))


def _chain(middleware: Sequence[Middleware]) -> Next:
    if not middleware:
        return lambda envelope: envelope
    first, following = middleware[0], _chain(middleware[1:])

    def step(envelope: AnyEnvelope) -> AnyEnvelope:
        result = first.handle(envelope, following)
        if isinstance(result, Envelope):
            return result
        raise _no_envelope(first, result)

    return step


def _no_envelope(step: Middleware, result: object) -> MessengerError:
    name = dotted_name(type(step))
    if iscoroutine(result):
        result.close()
        return MessengerError(f"the middleware {name} is async, so nothing of it has run: write a plain def handle")
    return MessengerError(
        f"the middleware {name} returned {type(result).__name__} instead of an envelope: return what "
        "following(envelope) returned; by then the message may have been sent or handled"
    )


def ask(bus: MessageBus, message: object, stamps: Iterable[Stamp] = ()) -> Any:
    """Dispatch a message that exactly one handler answers here and now, and return what that handler returned.

    stamps: as for MessageBus.dispatch.

    Raises NoHandlerForMessage when the message has no handler; NotOneResult when several ran, and when none did because
    the message was sent or its bus allows messages without handlers; what else MessageBus.dispatch raises, such as
    HandlerFailed.
    """
    return _result(bus, bus.dispatch(message, stamps))


async def ask_async(bus: MessageBus, message: object, stamps: Iterable[Stamp] = ()) -> Any:
    """Ask as `ask` does, from a coroutine: its event loop goes on meanwhile, and async handlers run on it."""
    return _result(bus, await bus.dispatch_async(message, stamps))


def _result(bus: MessageBus, envelope: AnyEnvelope) -> Any:
    handled = envelope.all(HandledStamp)
    if len(handled) == 1:
        return handled[0].result
    name = wire_name(type(envelope.message))
    if handled:
        names = ", ".join(stamp.handler_name for stamp in handled)
        raise NotOneResult(f"{name} was handled by {len(handled)} handlers, so it has no one result: {names}")
    sent = ", ".join(stamp.transport_name for stamp in envelope.all(SentStamp))
    if sent:
        raise NotOneResult(f"{name} was sent to {sent}, so there is no result here: route it nowhere to ask it")
    raise NotOneResult(f"{name} was handled by no handler on the bus {bus.name!r}, so it has no result")
