"""The buses that messenger.yaml describes: the built-in chain with the application's own middleware in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from messenger.batch import Batches
from messenger.bus import MessageBus
from messenger.config.model import BusConfig, DefaultMiddlewareConfig
from messenger.deduplication.message_locks import MessageLocks
from messenger.envelope import AnyEnvelope
from messenger.handler_arguments import HandlerArguments
from messenger.handler_call import HandlerCaller
from messenger.handlers import HandlerRegistry
from messenger.middleware import (
    AddBusName,
    AddMessageIds,
    Deduplicate,
    DispatchAfterCurrentBus,
    FailedMessageProcessing,
    FollowMessageIds,
    HandleMessage,
    Middleware,
    SendMessage,
)
from messenger.middleware.named import make_named
from messenger.transports.base import Sender, TransportContext


class BusFactory:
    """Makes the buses of one application.

    where: the configuration file, for errors. senders_for: the senders of an envelope, by transport name, in order.
    context: what transports get from the application, for built-in middleware.
    locks: of the messages with a DeduplicateStamp.
    handler_timeout: seconds, for handlers without a timeout of their own.
    batches: the messages that wait for batch handlers of any of the buses.
    """

    def __init__(
        self,
        where: str,
        handlers: HandlerRegistry,
        arguments: HandlerArguments,
        senders_for: Callable[[AnyEnvelope], Sequence[tuple[str, Sender]]],
        context: TransportContext,
        locks: MessageLocks,
        handler_timeout: float | None = None,
    ) -> None:
        self._where = where
        self._handlers = handlers
        self._arguments = arguments
        self._senders_for = senders_for
        self._context = context
        self._locks = locks
        self._named: list[Middleware] = []
        self._ids = AddMessageIds()
        self._after_current = DispatchAfterCurrentBus()
        self._caller = HandlerCaller(handler_timeout)
        self.batches = Batches(self._caller, arguments)

    def make(self, name: str, config: BusConfig) -> MessageBus:
        """A bus, in Symfony's order (spec section 3): the first built-in steps, the named ones, send, handle.

        Raises ConfigError, one line, for a middleware that cannot be made.
        """
        checks = _checks(config)
        named = [
            make_named(item, f"{self._where}: buses.{name}.middleware[{index}]", self._context, self._arguments)
            for index, item in enumerate(config.middleware)
        ]
        self._named += named
        if not checks.enabled:
            return MessageBus(named, name=name)
        handle = HandleMessage(
            self._handlers,
            bus_name=name,
            allow_no_handlers=checks.allow_no_handlers,
            arguments=self._arguments,
            caller=self._caller,
            batches=self.batches,
        )
        chain: list[Middleware] = [
            AddBusName(name),
            self._ids,
            self._after_current,
            FollowMessageIds(self._ids),
            FailedMessageProcessing(),
            Deduplicate(self._locks, self._context.transactions),
            *named,
            SendMessage(self._senders_for, allow_no_senders=checks.allow_no_senders),
            handle,
        ]
        return MessageBus(chain, name=name)

    def close(self) -> None:
        """Close the event loop of async handlers, and each middleware that has a `close`."""
        self._caller.close()
        for middleware in self._named:
            close = getattr(middleware, "close", None)
            if callable(close):
                close()


def _checks(config: BusConfig) -> DefaultMiddlewareConfig:
    checks = config.default_middleware
    if isinstance(checks, str):
        return DefaultMiddlewareConfig(allow_no_handlers=True)
    if isinstance(checks, bool):
        return DefaultMiddlewareConfig(enabled=checks)
    return checks
