"""Message bus: dispatch a message through a chain of middleware."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextvars import copy_context
from functools import partial
from inspect import iscoroutine
from typing import Any, TypeVar, overload

from messenger.concurrency.async_dispatch import AsyncDispatch
from messenger.concurrency.event_loops import EventLoops
from messenger.envelope import AnyEnvelope, Envelope
from messenger.errors import MessengerError, NotOneResult
from messenger.messages import dotted_name, wire_name
from messenger.middleware.base import BuiltInMiddleware, Middleware, Next
from messenger.stamps import HandledStamp, SentStamp, Stamp

M = TypeVar("M")


class MessageBus:
    """Sends messages and has them handled.

    Attributes:
        name: Name of the bus in messenger.yaml.
    """

    def __init__(
        self,
        middleware: Sequence[Middleware],
        *,
        name: str = "messenger.bus.default",
        async_dispatch: AsyncDispatch | None = None,
    ) -> None:
        """Create a bus.

        Args:
            middleware: The chain, outermost first.
            name: Name of the bus; a BusNameStamp carries it.
            async_dispatch: Runs the dispatches of async callers.
        """
        self.name = name
        self._chain = Chain(middleware)
        self._async_dispatch = async_dispatch or AsyncDispatch(EventLoops())

    @overload
    def dispatch(self, message: Envelope[M], stamps: Iterable[Stamp] = ()) -> Envelope[M]: ...

    @overload
    def dispatch(self, message: M, stamps: Iterable[Stamp] = ()) -> Envelope[M]: ...

    def dispatch(self, message: Any, stamps: Iterable[Stamp] = ()) -> AnyEnvelope:
        """Send a message to the transports it is routed to, or handle it at once when it is routed to none.

        When this returns, each transport has confirmed that it holds the message. The chain runs in a copy of the
        context: a context variable that middleware or a handler sets is visible neither to the caller nor to other
        messages.

        Args:
            message: The message, or an envelope that has one.
            stamps: Appended to the envelope, e.g. ``[DelayStamp(5000)]``.

        Returns:
            The envelope with the stamps that the chain added, such as a SentStamp or a HandledStamp.

        Raises:
            TransportError: A transport refused the message.
            HandlerFailed: The message was handled at once, and a handler failed.
            NoHandlerForMessage: The message is sent nowhere and has no handler.
            MessageEncodingFailed: The message cannot be written so that it can be read again.
            MessengerError: A middleware did not return an envelope.
        """
        return copy_context().run(self._chain, Envelope.wrap(message, stamps))

    @overload
    async def dispatch_async(self, message: Envelope[M], stamps: Iterable[Stamp] = ()) -> Envelope[M]: ...

    @overload
    async def dispatch_async(self, message: M, stamps: Iterable[Stamp] = ()) -> Envelope[M]: ...

    async def dispatch_async(self, message: Any, stamps: Iterable[Stamp] = ()) -> AnyEnvelope:
        """Dispatch a message from a coroutine without blocking its event loop.

        Async handlers run on the caller's loop, everything else in a thread. When this is cancelled, as by
        `asyncio.timeout`, the message may still be sent.

        Args:
            message: The message, or an envelope that has one.
            stamps: Appended to the envelope.

        Returns:
            The envelope, as from `dispatch`.

        Raises:
            MessengerError: The same errors as `dispatch`.
        """
        return await self._async_dispatch.run(lambda: self._chain(Envelope.wrap(message, stamps)))


class Chain:
    """The steps of a bus.

    Which of the built-in steps a message needs depends on its stamps. That is decided once for each set of stamps, up
    to the first middleware of the application, which may change them; another Chain begins after it.
    """

    def __init__(self, steps: Sequence[Middleware]) -> None:
        """Create a chain.

        Args:
            steps: Outermost first.
        """
        self._built_in: list[BuiltInMiddleware] = []
        self._end: Next = _return
        for index, step in enumerate(steps):
            if not isinstance(step, BuiltInMiddleware):
                self._end = partial(_run_checked, step, Chain(steps[index + 1 :]))
                break
            self._built_in.append(step)
        self._asked_for = frozenset[type[Stamp]]().union(*(step.only_with | step.unless for step in self._built_in))
        self._entries: dict[frozenset[type[Stamp]], Next] = {}

    def __call__(self, envelope: AnyEnvelope, /) -> AnyEnvelope:
        """Run the steps that the message needs.

        Args:
            envelope: The message.

        Returns:
            The envelope that the outermost step returned.
        """
        stamps = self._asked_for.intersection(map(type, envelope.stamps))
        entry = self._entries.get(stamps)
        if entry is None:
            entry = self._entries[stamps] = self._link(stamps)
        return entry(envelope)

    def _link(self, stamps: frozenset[type[Stamp]]) -> Next:
        """Return the first step for messages with these stamps, linked to those that follow it."""
        needed: list[BuiltInMiddleware] = []
        for step in self._built_in:
            if step.only_with <= stamps and step.unless.isdisjoint(stamps):
                needed.append(step)
                stamps |= step.adds
        entry = self._end
        for step in reversed(needed):
            entry = partial(step.handle, following=entry)
        return entry


def _return(envelope: AnyEnvelope, /) -> AnyEnvelope:
    """End of a chain."""
    return envelope


def _run_checked(step: Middleware, following: Next, envelope: AnyEnvelope) -> AnyEnvelope:
    """Run a middleware of the application and check that it returned an envelope.

    Raises:
        MessengerError: It returned something else.
    """
    result = step.handle(envelope, following)
    if isinstance(result, Envelope):
        return result
    raise _no_envelope(step, result)


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
    """Dispatch a message that exactly one handler answers at once, and return the result of that handler.

    Args:
        bus: The bus to dispatch on.
        message: The message.
        stamps: Appended to the envelope.

    Returns:
        What the handler returned.

    Raises:
        NoHandlerForMessage: The message has no handler.
        NotOneResult: Several handlers ran; or none did, because the message was sent or its bus allows messages without
            handlers.
        MessengerError: The other errors of `MessageBus.dispatch`, such as HandlerFailed.
    """
    return _result(bus, bus.dispatch(message, stamps))


async def ask_async(bus: MessageBus, message: object, stamps: Iterable[Stamp] = ()) -> Any:
    """Ask as `ask` does, from a coroutine, without blocking its event loop.

    Args:
        bus: The bus to dispatch on.
        message: The message.
        stamps: Appended to the envelope.

    Returns:
        What the handler returned.

    Raises:
        MessengerError: The same errors as `ask`.
    """
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
