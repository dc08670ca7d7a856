"""ask(): dispatch a question and have its answer (Symfony's HandleTrait)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from messenger.bus import MessageBus
from messenger.envelope import AnyEnvelope
from messenger.errors import NotOneResult
from messenger.messages import wire_name
from messenger.stamps import HandledStamp, SentStamp, Stamp


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
