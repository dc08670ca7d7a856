"""Calls the handlers of a message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from messenger.envelope import AnyEnvelope
from messenger.errors import HandlerFailed, NoHandlerForMessage, TransportError
from messenger.handling.arguments import HandlerArguments
from messenger.handling.batch import AckStamp, Batches, NoAutoAckStamp, Unsettled
from messenger.handling.call import HandlerCaller
from messenger.handling.registry import Handler, HandlerRegistry
from messenger.messages import wire_name
from messenger.middleware.base import BuiltInMiddleware, Next
from messenger.stamps import HandledStamp, ReceivedStamp


@dataclass(slots=True)
class HandleMessage(BuiltInMiddleware):
    """The last step: calls every handler. A handler that fails does not stop the others.

    A batch handler keeps the message when the worker can settle it later; otherwise it gets a batch of one.

    Attributes:
        registry: The handlers.
        arguments: Arguments of handlers besides the message.
        caller: Calls handlers; shared by the buses of an application.
        batches: Messages that wait for batch handlers; shared by the buses of an application.
        bus_name: Name of the bus.
    """

    registry: HandlerRegistry
    arguments: HandlerArguments
    caller: HandlerCaller
    batches: Batches
    bus_name: str
    allow_no_handlers: bool = False

    def handle(self, envelope: AnyEnvelope, following: Next) -> AnyEnvelope:
        """Call the handlers that have not succeeded yet.

        Returns:
            The envelope with HandledStamps; with a NoAutoAckStamp when a batch handler keeps the message.

        Raises:
            HandlerFailed: A handler failed.
            NoHandlerForMessage: The message has no handler.
            HandlerDefinitionError: An argument of a handler cannot be provided.
        """
        if not self.arguments.is_checked:
            self.arguments.check()
        newest = dict(zip(map(type, envelope.stamps), envelope.stamps, strict=True))
        received = newest.get(ReceivedStamp)
        transport = received.transport_name if isinstance(received, ReceivedStamp) else None
        handlers = self.registry.for_received(envelope.message, self.bus_name, transport)
        if not handlers and not self.allow_no_handlers:
            raise NoHandlerForMessage(
                f"no handler for {wire_name(type(envelope.message))}: "
                "is its module named under 'handlers' in messenger.yaml?"
            )
        if HandledStamp in newest:
            done = {stamp.handler_name for stamp in envelope.all(HandledStamp)}
            handlers = tuple(handler for handler in handlers if handler.name not in done)
        errors: dict[str, Exception] = {}
        for handler in handlers:
            if handler.options.batch is not None:
                return self._handle_with_batches(envelope, errors, handlers[handlers.index(handler) :], following)
            result, error = self._call(handler, envelope)
            if error is None:
                envelope = envelope.with_stamps(HandledStamp(handler.name, result))
            else:
                errors[handler.name] = error
        if errors:
            raise HandlerFailed(envelope, errors) from next(iter(errors.values()))
        return following(envelope)

    def _handle_with_batches(
        self, envelope: AnyEnvelope, errors: dict[str, Exception], handlers: Sequence[Handler], following: Next
    ) -> AnyEnvelope:
        """Go on where a batch handler comes, with the errors of the handlers before it."""
        ack = envelope.last(AckStamp)
        state = Unsettled(envelope, ack.settle if ack is not None else None)
        state.errors.update(errors)
        for handler in handlers:
            if handler.options.batch is None:
                state.note(handler.name, *self._call(handler, state.envelope))
            elif ack is not None:
                self.batches.add(handler, state.envelope, state.wait_for(handler.name))
            else:
                self.batches.call(handler, [(state.envelope, partial(state.note, handler.name))])
        if state.waiting:
            return following(state.envelope.with_stamps(NoAutoAckStamp(state)))
        if state.errors:
            raise HandlerFailed(state.envelope, state.errors) from next(iter(state.errors.values()))
        return following(state.envelope)

    def _call(self, handler: Handler, envelope: AnyEnvelope) -> tuple[object, Exception | None]:
        if handler.name in self.arguments.message_only:
            return self.caller.call(handler, envelope.message, {})
        try:
            arguments = self.arguments.of(handler, envelope)
        except TransportError as error:  # what it asks for cannot be reached
            return None, error
        return self.caller.call(handler, envelope.message, arguments)
