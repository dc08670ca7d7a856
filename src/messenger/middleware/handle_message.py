"""Calls the handlers of a message."""

from __future__ import annotations

from collections.abc import Sequence

from messenger.batch import Batches, Unsettled
from messenger.envelope import AnyEnvelope
from messenger.errors import HandlerFailed, NoHandlerForMessage, TransportError
from messenger.handler_arguments import HandlerArguments
from messenger.handler_call import HandlerCaller
from messenger.handlers import Handler, HandlerRegistry
from messenger.messages import wire_name
from messenger.middleware.base import Next
from messenger.stamps import AckStamp, HandledStamp, NoAutoAckStamp, ReceivedStamp


class HandleMessage:
    """The last step: every handler is called, one that fails does not stop the others.

    A batch handler keeps the message when the worker can settle it later; else it gets it as a batch of one.

    arguments: what handlers get besides the message; without it, the envelope at most.
    caller, batches: shared by the buses of an application.
    """

    def __init__(
        self,
        registry: HandlerRegistry,
        *,
        bus_name: str,
        allow_no_handlers: bool = False,
        arguments: HandlerArguments | None = None,
        caller: HandlerCaller | None = None,
        batches: Batches | None = None,
    ) -> None:
        self._registry = registry
        self._arguments = arguments or HandlerArguments(registry)
        self._bus_name = bus_name
        self._allow_no_handlers = allow_no_handlers
        self._caller = caller or HandlerCaller()
        self._batches = batches or Batches(self._caller, self._arguments)

    def handle(self, envelope: AnyEnvelope, following: Next) -> AnyEnvelope:
        """Call the handlers that have not succeeded yet. A NoAutoAckStamp on the result: a batch handler has it.

        Raises HandlerFailed, NoHandlerForMessage; HandlerDefinitionError when a handler asks for what nothing provides.
        """
        self._arguments.check()
        handlers = self._applicable(envelope)
        if not handlers and not self._allow_no_handlers:
            raise NoHandlerForMessage(
                f"no handler for {wire_name(type(envelope.message))}: "
                "is its module named under 'handlers' in messenger.yaml?"
            )
        done = {stamp.handler_name for stamp in envelope.all(HandledStamp)}
        errors: dict[str, Exception] = {}
        waiting: list[Handler] = []
        ack = envelope.last(AckStamp)
        for handler in handlers:
            if handler.name in done:
                continue
            if handler.options.batch is not None and ack is not None:
                waiting.append(handler)
                continue
            result, error = self._call(handler, envelope)
            if error is not None:
                errors[handler.name] = error
            else:
                envelope = envelope.with_stamps(HandledStamp(handler.name, result))
        if waiting and ack is not None:
            return following(self._leave(envelope, waiting, Unsettled(envelope, errors, ack.settle)))
        if errors:
            raise HandlerFailed(envelope, errors) from next(iter(errors.values()))
        return following(envelope)

    def _applicable(self, envelope: AnyEnvelope) -> Sequence[Handler]:
        received = envelope.last(ReceivedStamp)
        return [
            handler
            for handler in self._registry.for_message(envelope.message)
            if handler.options.bus in (None, self._bus_name)
            and (received is None or handler.options.from_transport in (None, received.transport_name))
        ]

    def _call(self, handler: Handler, envelope: AnyEnvelope) -> tuple[object, Exception | None]:
        if handler.options.batch is None:
            try:
                arguments = self._arguments.of(handler, envelope)
            except TransportError as error:  # what it asks for cannot be reached
                return None, error
            return self._caller.call(handler, envelope.message, arguments)
        outcomes: list[tuple[object, Exception | None]] = []
        self._batches.call(handler, [(envelope, lambda result, error: outcomes.append((result, error)))])
        return outcomes[0]

    def _leave(self, envelope: AnyEnvelope, handlers: Sequence[Handler], unsettled: Unsettled) -> AnyEnvelope:
        for handler in handlers:
            self._batches.add(handler, envelope, unsettled.wait_for(handler.name))
        return envelope.with_stamps(NoAutoAckStamp(unsettled))
