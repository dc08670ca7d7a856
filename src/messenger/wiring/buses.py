"""The buses that messenger.yaml describes: the built-in chain with the application's own middleware in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from messenger import middleware
from messenger.bus import MessageBus
from messenger.concurrency.async_dispatch import AsyncDispatch
from messenger.concurrency.event_loops import EventLoops
from messenger.config.model import BusConfig, DefaultMiddlewareConfig
from messenger.deduplication.message_locks import MessageLocks
from messenger.envelope import AnyEnvelope
from messenger.handling.arguments import HandlerArguments
from messenger.handling.batch import Batches
from messenger.handling.call import HandlerCaller
from messenger.handling.registry import HandlerRegistry
from messenger.middleware.base import Middleware
from messenger.middleware.named import MakeStep, make_named
from messenger.transports.base import Sender, TransportContext


@dataclass
class BusFactory:
    """Creates the buses of one application.

    Attributes:
        where: The configuration file, for errors.
        handlers: The handlers.
        arguments: Arguments of handlers besides the message.
        senders_for: Returns the senders of an envelope, by transport name, in order.
        context: The context of the application's transports, for built-in middleware.
        locks: The locks of messages with a DeduplicateStamp.
        handler_timeout: Seconds, for handlers without a timeout of their own.
        batches: The messages that wait for batch handlers of any bus.
        loops: Where async handlers run.
    """

    where: str
    handlers: HandlerRegistry
    arguments: HandlerArguments
    senders_for: Callable[[AnyEnvelope], Sequence[tuple[str, Sender]]]
    context: TransportContext
    locks: MessageLocks
    handler_timeout: float | None = None

    def __post_init__(self) -> None:
        self._named: list[Middleware] = []
        self._ids = middleware.AddMessageIds()
        self._after_current = middleware.DispatchAfterCurrentBus()
        self.loops = EventLoops()
        self._async_dispatch = AsyncDispatch(self.loops)
        self._caller = HandlerCaller(self.loops, self.handler_timeout)
        self.batches = Batches(self._caller, self.arguments)

    def make(self, name: str, config: BusConfig) -> MessageBus:
        """Create a bus in Symfony's order: the first built-in steps, the named ones, send, handle.

        Raises:
            ConfigError: A middleware cannot be created.
        """
        checks = _checks(config)
        chain = self._chain(name, checks)
        named = [
            step
            for index, item in enumerate(config.middleware)
            if (step := self._named_step(item, f"{self.where}: buses.{name}.middleware[{index}]", chain, checks))
        ]
        self._named += named
        ids: list[Middleware] = [self._ids, middleware.FollowMessageIds(self._ids)]
        if not checks.enabled:
            has_built_in = any(isinstance(step, middleware.SendMessage | middleware.HandleMessage) for step in named)
            return self._bus([*ids, *named] if has_built_in else named, name)
        *first, send, handle = (make([]) for make in chain.values())
        return self._bus([*first[:1], ids[0], first[1], ids[1], *first[2:], *named, send, handle], name)

    def _bus(self, steps: Sequence[Middleware], name: str) -> MessageBus:
        return MessageBus(steps, name=name, async_dispatch=self._async_dispatch)

    def _named_step(
        self, item: str | dict[str, Any], where: str, chain: Mapping[str, MakeStep], checks: DefaultMiddlewareConfig
    ) -> Middleware | None:
        return make_named(item, where, self.context, self.arguments, chain, is_complete=checks.enabled)

    def _chain(self, name: str, checks: DefaultMiddlewareConfig) -> dict[str, MakeStep]:
        """How each built-in step is made, by Symfony's names, in Symfony's order."""
        return {
            "add_bus_name_stamp_middleware": lambda given: middleware.AddBusName(str(given[0]) if given else name),
            "dispatch_after_current_bus": lambda given: self._after_current,
            "failed_message_processing_middleware": lambda given: middleware.FailedMessageProcessing(),
            "deduplicate_middleware": lambda given: middleware.Deduplicate(self.locks, self.context.transactions),
            "send_message": lambda given: middleware.SendMessage(
                self.senders_for, allow_no_senders=checks.allow_no_senders
            ),
            "handle_message": lambda given: middleware.HandleMessage(
                self.handlers,
                self.arguments,
                self._caller,
                self.batches,
                name,
                given == [True] or checks.allow_no_handlers,
            ),
        }

    def close(self) -> None:
        """Close the event loops of async handlers, and each middleware that has a `close`."""
        self.loops.close()
        self._async_dispatch.close()
        for step in self._named:
            close = getattr(step, "close", None)
            if callable(close):
                close()


def _checks(config: BusConfig) -> DefaultMiddlewareConfig:
    said = config.default_middleware
    if isinstance(said, DefaultMiddlewareConfig):
        return said
    return DefaultMiddlewareConfig(enabled=bool(said), allow_no_handlers=said == "allow_no_handlers")
