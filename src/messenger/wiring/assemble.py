"""Assembles an application from its messenger.yaml. Each part gets what it needs, and knows no application."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from messenger.bus import MessageBus
from messenger.config.loader import LoadedConfig
from messenger.config.model import BusConfig, MessengerConfig
from messenger.control.plane import Control, hostname
from messenger.deduplication.keeper import LockKeeper
from messenger.deduplication.lock_store import LockStore
from messenger.deduplication.message_locks import MessageLocks
from messenger.envelope import AnyEnvelope
from messenger.errors import ConfigError
from messenger.events import EventDispatcher
from messenger.handling.arguments import HandlerArguments
from messenger.routing import Router
from messenger.transports.base import TransportContext
from messenger.wire.serializer import Serializer
from messenger.wire.signing import Signing
from messenger.wiring.buses import BusFactory
from messenger.wiring.control import open_control
from messenger.wiring.modules import Modules, load_modules
from messenger.wiring.signing import make_signing
from messenger.wiring.transports import CreateTransport, SendersLocator, TransportConfigs, Transports, transport_configs

if TYPE_CHECKING:
    from messenger.outbox import Outboxes
    from messenger.rate_limit.factory import NamedRateLimiter

DEFAULT_BUS = "messenger.bus.default"
Dispatch = Callable[[AnyEnvelope], AnyEnvelope]
OpenLockStore = Callable[[str, Control | None], LockStore]


@dataclass(frozen=True, slots=True)
class RateLimiters:
    """The rate limiters of messenger.yaml by name, and notes for its author."""

    by_name: Mapping[str, NamedRateLimiter] = field(default_factory=dict)
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of an application.

    Attributes:
        context: What transports get from the application.
        bus_factory: Made the buses, and has what they share.
        default_bus: The bus that dispatches where no other is named.
        outboxes: Handles what comes out of an outbox; None where no transport has one.
    """

    modules: Modules
    configs: TransportConfigs
    transports: Transports
    context: TransportContext
    router: Router
    serializer: Serializer
    rate_limiters: RateLimiters
    events: EventDispatcher
    locks: MessageLocks
    arguments: HandlerArguments
    bus_factory: BusFactory
    buses: Mapping[str, MessageBus]
    default_bus: MessageBus
    outboxes: Outboxes | None

    def close(self) -> None:
        """Close connections and event loops."""
        self.transports.close()
        for limiter in self.rate_limiters.by_name.values():
            limiter.close()
        self.locks.close()
        self.bus_factory.close()


def assemble(loaded: LoadedConfig, create: CreateTransport, open_locks: OpenLockStore, dispatch: Dispatch) -> Parts:
    """Return the parts of an application. Nothing connects yet.

    Args:
        loaded: The configuration.
        create: Creates a transport, at its first use.
        open_locks: Opens the store of the locks, at its first use.
        dispatch: Handles a received envelope; a transport calls it at the earliest when it is used.

    Raises:
        ConfigError: One line that says what to change; HandlerDefinitionError for a handler.
    """
    config = loaded.messenger
    configs = transport_configs(loaded)
    modules = load_modules(loaded)
    configs.check_messages(modules.messages)
    rate_limiters = _rate_limiters(loaded, configs)
    serializer = Serializer(modules.messages, _signing(loaded, modules))
    worker_id = f"{hostname(loaded.environment)}-{os.getpid()}-{secrets.token_hex(3)}"
    context = TransportContext(serializer, dispatch, loaded.state_dir, worker_id, config.connections)
    transports = Transports(loaded.path, configs.by_name, create, context)
    outboxes = _outboxes(config, modules, configs, transports, serializer)
    router = Router(config.routing)
    locator = SendersLocator(router, transports.get if outboxes is None else outboxes.sender)
    locks = MessageLocks(lambda: open_locks(str(loaded.path), open_control(loaded, configs.by_name)))
    events = EventDispatcher()
    LockKeeper(locks).listen(events)
    arguments = HandlerArguments(modules.handlers)
    factory = BusFactory(
        str(loaded.path), modules.handlers, arguments, locator.senders, context, locks, config.handler_timeout
    )
    default_bus = config.default_bus or next(iter(config.buses), DEFAULT_BUS)
    bus_configs = config.buses or {default_bus: BusConfig()}
    buses = {name: factory.make(name, each) for name, each in bus_configs.items()}
    return Parts(
        modules=modules,
        configs=configs,
        transports=transports,
        context=context,
        router=router,
        serializer=serializer,
        rate_limiters=rate_limiters,
        events=events,
        locks=locks,
        arguments=arguments,
        bus_factory=factory,
        buses=buses,
        default_bus=buses[default_bus],
        outboxes=outboxes,
    )


def _outboxes(
    config: MessengerConfig, modules: Modules, configs: TransportConfigs, transports: Transports, serializer: Serializer
) -> Outboxes | None:
    names = {name: each.outbox for name, each in config.transports.items() if each.outbox is not None}
    if not names:
        return None
    from messenger.outbox import Outboxes, Relay

    modules.messages.add_own(Relay)
    return Outboxes(names, configs.failure, transports.get, serializer)


def _rate_limiters(loaded: LoadedConfig, configs: TransportConfigs) -> RateLimiters:
    limiters = loaded.messenger.rate_limiters
    if not limiters:
        return RateLimiters()
    from messenger.rate_limit.factory import make_rate_limiters

    notes = []
    control = open_control(loaded, configs.by_name)
    if control is None and any(limiter.service is None for limiter in limiters.values()):
        notes.append("no Redis is named ('control'): rate_limiters count in each worker process for itself")
    return RateLimiters(make_rate_limiters(str(loaded.path), limiters, control), notes)


def _signing(loaded: LoadedConfig, modules: Modules) -> Signing:
    try:
        return make_signing(loaded.messenger.signing, modules.handlers.handlers, modules.messages.classes)
    except ConfigError as error:
        raise type(error)(f"{loaded.path}: {error}") from None
