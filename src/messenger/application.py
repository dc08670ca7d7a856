"""Application: everything messenger.yaml describes, wired together. There is no global one."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from contextvars import copy_context
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

from msgspec import UnsetType

from messenger.bus import MessageBus
from messenger.config.importing import import_name
from messenger.config.loader import LoadedConfig, load_config
from messenger.config.model import BusConfig, TransportConfig
from messenger.control.control import Control, hostname
from messenger.deduplication.keeper import LockKeeper
from messenger.deduplication.lock_store import LockStore
from messenger.deduplication.message_locks import MessageLocks
from messenger.envelope import AnyEnvelope, Envelope
from messenger.errors import ConfigError, InfrastructureError, TransportUnavailable, as_failure
from messenger.events import EventDispatcher
from messenger.failure.handling import FailureHandling
from messenger.failure.retry import RetryStrategy, make_retry_strategy
from messenger.handling.arguments import HandlerArguments
from messenger.handling.batch import Batches
from messenger.handling.registry import HandlerRegistry
from messenger.messages import MessageRegistry, message_options
from messenger.middleware.send_message import refuse_outside
from messenger.printable import SHORT, printable
from messenger.routing import Router
from messenger.stamps import BusNameStamp, Stamp
from messenger.transports.base import Sender, Transport, TransportContext
from messenger.transports.distinct import check_distinct
from messenger.transports.factory import create_transport
from messenger.transports.transactions import SqlTransactions
from messenger.wire.serializer import Serializer
from messenger.wire.signing import Signing
from messenger.wiring.buses import BusFactory
from messenger.wiring.locks import open_lock_store
from messenger.wiring.modules import load_modules, run_setup
from messenger.wiring.signing import make_signing

if TYPE_CHECKING:
    from messenger.outbox import Outboxes
    from messenger.rate_limit.factory import NamedRateLimiter

log = logging.getLogger(__name__)
M = TypeVar("M")
CreateTransport = Callable[[str, TransportConfig, TransportContext], Transport]
OpenLockStore = Callable[[str, Control | None], LockStore]
DEFAULT_BUS = "messenger.bus.default"
_EMBEDDED_FAILED = TransportConfig(dsn="doctrine://default?queue_name=failed")


class Application:
    """The buses, transports and handlers of one messenger.yaml.

        app = Application.load("messenger.yaml")
        app.dispatch(SmsNotification("hello"))

    Transports connect at first use. Any number of threads may dispatch: each has a connection for the time that it
    needs one. A process that was forked opens its own.

    events: an application's own listeners for what workers tell (messenger.events); add them in `setup`.
    notes: what was assumed because the file does not say it; a command shows them once.
    locks: of the messages with a DeduplicateStamp.
    create, open_locks: make the transports and the store of the locks, at first use; messenger.testing gives others.
    """

    def __init__(
        self,
        loaded: LoadedConfig,
        create: CreateTransport = create_transport,
        open_locks: OpenLockStore = open_lock_store,
    ) -> None:
        self.loaded = loaded
        self.config = loaded.messenger
        self.notes: list[str] = list(loaded.notes)
        self.host = hostname(loaded.environment)
        self.worker_id = f"{self.host}-{os.getpid()}-{secrets.token_hex(3)}"
        self.events = EventDispatcher()
        self.locks = MessageLocks(lambda: open_locks(str(loaded.path), self.control()))
        LockKeeper(self.locks).listen(self.events)
        self.reset_hooks: list[Callable[[], object]] = []
        self.handlers = HandlerRegistry()
        self._arguments = HandlerArguments(self.handlers)
        self.messages = MessageRegistry()
        self._create = create
        self._transports: dict[str, Transport] = {}
        self._transport_configs = dict(self.config.transports)
        self.failure_transports = self._resolve_failure_transports()
        self._check_distinct()
        self.notes += load_modules(loaded, self.handlers, self.messages)
        self.router = Router(self.config.routing)
        self._check_message_transports()
        self._rate_limiters = self._make_rate_limiters()
        self.serializer = Serializer(self.messages, self._make_signing())
        self.default_bus_name = self.config.default_bus or next(iter(self.config.buses), DEFAULT_BUS)
        self._outboxes = self._make_outboxes()
        self._transactions = SqlTransactions()
        self._bus_factory = BusFactory(
            str(loaded.path),
            self.handlers,
            self._arguments,
            self._senders,
            self.transport_context(),
            self.locks,
            self.config.handler_timeout,
        )
        self.buses = {
            name: self._bus_factory.make(name, bus)
            for name, bus in (self.config.buses or {self.default_bus_name: BusConfig()}).items()
        }
        self.provide(self)
        self.provide(self.bus)
        if self.config.setup is not None:
            run_setup(self.config.setup, f"{loaded.path}: setup", self, self._bus_factory.loops.complete)

    @classmethod
    def load(cls, path: str | Path = "messenger.yaml", environ: Mapping[str, str] | None = None) -> Application:
        """Read a messenger.yaml, import the handler modules it names and wire everything.

        environ: instead of the process's environment.

        Raises ConfigError (HandlerDefinitionError for a handler), one line that says what to mend.
        """
        return cls(load_config(Path(path), os.environ if environ is None else environ))

    # --- use -------------------------------------------------------------------------------------------------------

    @property
    def bus(self) -> MessageBus:
        """The default bus."""
        return self.buses[self.default_bus_name]

    @overload
    def dispatch(self, message: Envelope[M], stamps: Iterable[Stamp] = ()) -> Envelope[M]: ...

    @overload
    def dispatch(self, message: M, stamps: Iterable[Stamp] = ()) -> Envelope[M]: ...

    def dispatch(self, message: Any, stamps: Iterable[Stamp] = ()) -> AnyEnvelope:
        """Dispatch on the default bus; see MessageBus.dispatch."""
        return self.bus.dispatch(message, stamps)

    async def dispatch_async(self, message: M, stamps: Iterable[Stamp] = ()) -> AnyEnvelope:
        """Dispatch on the default bus from a coroutine; see MessageBus.dispatch_async."""
        return await self.bus.dispatch_async(message, stamps)

    def dispatch_received(self, envelope: AnyEnvelope, bus_name: str | None = None) -> AnyEnvelope:
        """Handle what a transport gave, on the bus its BusNameStamp names; an unknown name means the default.

        bus_name: on this bus instead.
        """
        own = self._outboxes.bus_for(envelope) if self._outboxes is not None else None
        if own is not None:
            return own.dispatch(envelope)
        if bus_name is not None:
            return self.buses[bus_name].dispatch(envelope)
        stamp = envelope.last(BusNameStamp)
        bus = self.buses.get(stamp.bus_name) if stamp is not None else self.bus
        if bus is None:
            log.warning(
                "unknown_bus name=%s: using %s",
                printable(stamp.bus_name if stamp else "", SHORT),
                self.default_bus_name,
            )
            bus = self.bus
        return bus.dispatch(envelope)

    def provide(self, thing: object, annotation: type[Any] | None = None) -> None:
        """Give `thing` to every handler parameter annotated with its class, or with `annotation` (a base, a protocol).

        The application itself and its default MessageBus are provided. Workers do this in the function that `setup`
        in messenger.yaml names.

        Raises ConfigError when that class is provided already, or a message was handled before.
        """
        self._arguments.provide(thing, annotation)

    def on_reset(self, hook: Callable[[], object]) -> None:
        """Call `hook` in a worker after each message: to drop what one message must not leave to the next, or to see
        that a connection still works. While it raises, the worker takes no message and tries again. An async one
        is awaited where async handlers run.
        """
        self.reset_hooks.append(hook)

    def reset(self) -> Exception | None:
        """Call every reset hook. Returns what the first of them raised that failed, or None."""
        failed: Exception | None = None
        for hook in self.reset_hooks:
            try:
                self._bus_factory.loops.complete(copy_context().run(hook))
            except BaseException as error:
                failed = failed or as_failure(error, "a reset hook")
        return failed

    def finish_tasks(self) -> None:
        """Wait for the tasks that async handlers left, 5 seconds at most; the log names them."""
        self._bus_factory.loops.finish_tasks()

    @property
    def batches(self) -> Batches:
        """The messages that wait for batch handlers."""
        return self._bus_factory.batches

    def check_handlers(self) -> None:
        """See that each handler can be given what it asks for; done before the first message is handled at the latest.

        Raises HandlerDefinitionError, naming file and line.
        """
        self._arguments.check()

    def transport(self, name: str) -> Transport:
        """The transport of this name, created at first use. Raises ConfigError with the known names."""
        found = self._transports.get(name)
        if found is None:
            config = self._transport_configs.get(name)
            if config is None:
                raise ConfigError(
                    f"no transport is called {name!r}; known: {', '.join(self.transport_names) or 'none'}"
                )
            context = replace(self.transport_context(), max_deliveries=config.max_deliveries)
            try:
                found = self._transports.setdefault(name, self._create(name, config, context))
            except ConfigError as error:
                raise ConfigError(f"{self.loaded.path}: {error}") from None
        return found

    @property
    def transport_names(self) -> tuple[str, ...]:
        """Every transport, the assumed failure transport included."""
        return tuple(self._transport_configs)

    @property
    def failure_transport_names(self) -> tuple[str, ...]:
        """The transports that hold failed messages, each once."""
        return tuple({name: None for name in self.failure_transports.values() if name is not None})

    def retry_strategies(self) -> dict[str, RetryStrategy]:
        """The retry strategy of each transport. Raises ConfigError for a `service` that is none."""
        return {
            name: make_retry_strategy(
                transport.retry_strategy, f"{self.loaded.path}: transports.{name}.retry_strategy.service"
            )
            for name, transport in self._transport_configs.items()
        }

    def failure_handling(self) -> FailureHandling:
        """What decides on failed messages. Raises ConfigError for a strategy or an error class that is none."""
        return FailureHandling(
            self.retry_strategies(), self.failure_transports, self.transport, self.infrastructure_errors()
        )

    def infrastructure_errors(self) -> tuple[type[Exception], ...]:
        """The errors that say that something handlers need is away. Raises ConfigError for one that is none."""
        found: list[type[Exception]] = [InfrastructureError, TransportUnavailable]
        for name in self.config.infrastructure_errors:
            where = f"{self.loaded.path}: infrastructure_errors"
            cls = import_name(name, where)
            if not (isinstance(cls, type) and issubclass(cls, Exception)):
                raise ConfigError(f"{where}: {name!r} is no Exception class")
            found.append(cls)
        return tuple(found)

    def transport_config(self, name: str) -> TransportConfig:
        """What messenger.yaml says of a transport; also of the assumed failure transport."""
        return self._transport_configs[name]

    def max_deliveries(self, name: str) -> int:
        """How often a message of this transport may be handed out without ever being settled; 0: no limit."""
        return self._transport_configs[name].max_deliveries

    def rate_limiter(self, transport: str) -> NamedRateLimiter | None:
        """What limits how often messages of this transport are handled; None: nothing does."""
        name = self._transport_configs[transport].rate_limiter
        return self._rate_limiters[name] if name is not None else None

    def weight(self, name: str) -> int:
        """The share of this transport among several that are served by weight."""
        return self._transport_configs[name].weight

    def control(self) -> Control | None:
        """A new connection to the control plane, or None when the configuration names no Redis."""
        from messenger.redis.dsn import SCHEMES, parse_redis_dsn

        if self.config.control is not None:
            try:
                return Control(parse_redis_dsn("control", self.config.control), self.config.name)
            except ConfigError as error:
                reason = str(error).removeprefix("transports.").removeprefix("control.dsn: ").removeprefix("control: ")
                raise ConfigError(f"{self.loaded.path}: control: {reason}") from None
        for name, transport in self._transport_configs.items():
            if transport.dsn.split(":", 1)[0] in SCHEMES:
                return Control(parse_redis_dsn(name, transport.dsn, transport.options), self.config.name)
        return None

    @property
    def release(self) -> str:
        """The release this application was started from: MESSENGER_RELEASE, or REVISION beside messenger.yaml."""
        named = self.loaded.environment.get("MESSENGER_RELEASE")
        if named:
            return named
        try:
            return (self.loaded.directory / "REVISION").read_text(encoding="utf-8").strip() or "-"
        except (OSError, UnicodeDecodeError):
            return "-"

    def close(self) -> None:
        """Let go of connections and event loops."""
        for transport in self._transports.values():
            transport.close()
        for limiter in self._rate_limiters.values():
            limiter.close()
        self.locks.close()
        self._bus_factory.close()

    # --- wiring ----------------------------------------------------------------------------------------------------

    def transport_context(self) -> TransportContext:
        """What transports are made with."""
        return TransportContext(
            serializer=self.serializer,
            dispatch=self.dispatch_received,
            state_dir=self.loaded.state_dir,
            worker_id=self.worker_id,
            connections=self.config.connections,
            transactions=self._transactions,
        )

    def _senders(self, envelope: AnyEnvelope) -> list[tuple[str, Sender]]:
        sender = self.transport if self._outboxes is None else self._outboxes.sender
        found = [(name, sender(name)) for name in self.router.transport_names(envelope)]
        refuse_outside(envelope, found)
        return found

    def _make_outboxes(self) -> Outboxes | None:
        names = {name: config.outbox for name, config in self.config.transports.items() if config.outbox is not None}
        if not names:
            return None
        from messenger.outbox import Outboxes, Relay

        self.messages.add_own(Relay)
        return Outboxes(names, self.failure_transports, self.transport, self.serializer)

    def _resolve_failure_transports(self) -> dict[str, str | None]:
        """Each transport's failure transport; None only where the file says `failure_transport: null`."""
        default = self.config.failure_transport
        if isinstance(default, UnsetType):
            default = "failed"
            if "failed" in self._transport_configs:
                self.notes.append("no failure_transport is set: using the transport 'failed' for failed messages")
            else:
                self._transport_configs["failed"] = _EMBEDDED_FAILED
                self.notes.append(
                    f"no failure_transport is set: failed messages are kept in 'failed' ({_EMBEDDED_FAILED.dsn}); "
                    "write 'failure_transport: null' to discard them"
                )
        return {
            name: default if isinstance(config.failure_transport, UnsetType) else config.failure_transport
            for name, config in self._transport_configs.items()
        }

    def _make_rate_limiters(self) -> dict[str, NamedRateLimiter]:
        if not self.config.rate_limiters:
            return {}
        from messenger.rate_limit.factory import make_rate_limiters

        control = self.control()
        if control is None and any(limiter.service is None for limiter in self.config.rate_limiters.values()):
            self.notes.append("no Redis is named ('control'): rate_limiters count in each worker process for itself")
        return make_rate_limiters(str(self.loaded.path), self.config.rate_limiters, control)

    def _make_signing(self) -> Signing:
        try:
            return make_signing(self.config.signing, self.handlers.handlers, self.messages.classes)
        except ConfigError as error:
            raise type(error)(f"{self.loaded.path}: {error}") from None

    def _check_distinct(self) -> None:
        try:
            check_distinct(
                self._transport_configs, self.config.connections, self.failure_transports, self.loaded.state_dir
            )
        except ConfigError as error:
            raise ConfigError(f"{self.loaded.path}: {error}") from None

    def _check_message_transports(self) -> None:
        for cls in self.messages.classes:
            for name in message_options(cls).transports:
                if name not in self._transport_configs:
                    raise ConfigError(
                        f"@message on {cls.__module__}.{cls.__qualname__} names the transport {name!r}; "
                        f"known: {', '.join(self.transport_names)}"
                    )
