"""Calls the handlers of a message."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from messenger.envelope import AnyEnvelope
from messenger.errors import HandlerFailed, NoHandlerForMessage
from messenger.handler_arguments import HandlerArguments
from messenger.handlers import Handler, HandlerRegistry
from messenger.messages import wire_name
from messenger.middleware.base import Next
from messenger.stamps import HandledStamp, ReceivedStamp


class HandleMessage:
    """The last step: every handler is called, one that fails does not stop the others.

    An ``async def`` handler is run to completion on an event loop that this object owns and keeps.

    arguments: what handlers get besides the message; without it, the envelope at most.
    """

    def __init__(
        self,
        registry: HandlerRegistry,
        *,
        bus_name: str,
        allow_no_handlers: bool = False,
        arguments: HandlerArguments | None = None,
    ) -> None:
        self._registry = registry
        self._arguments = arguments or HandlerArguments(registry)
        self._bus_name = bus_name
        self._allow_no_handlers = allow_no_handlers
        self._runner: asyncio.Runner | None = None

    def handle(self, envelope: AnyEnvelope, following: Next) -> AnyEnvelope:
        """Call the handlers that have not succeeded yet.

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
        for handler in handlers:
            if handler.name in done:
                continue
            try:
                result = self._call(handler, envelope)
            except Exception as error:
                errors[handler.name] = error
            except SystemExit as error:  # a library's sys.exit() must not take the worker and its message with it
                errors[handler.name] = RuntimeError(f"the handler called exit({error.code!r})")
            except asyncio.CancelledError:  # something the handler awaited was cancelled; no reason to stop the worker
                errors[handler.name] = RuntimeError("the handler was cancelled")
            else:
                envelope = envelope.with_stamps(HandledStamp(handler.name, result))
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

    def _call(self, handler: Handler, envelope: AnyEnvelope) -> object:
        arguments = self._arguments.of(handler, envelope)
        if not handler.is_async:
            return handler.call(envelope.message, **arguments)
        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._runner.run(handler.call(envelope.message, **arguments))

    def close(self) -> None:
        """Close the event loop, if an async handler needed one."""
        if self._runner is not None:
            self._runner.close()
            self._runner = None
