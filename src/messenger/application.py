"""The application: everything that messenger.yaml describes, assembled. There is no global instance."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from contextvars import copy_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

from messenger.config.loader import LoadedConfig, load_config
from messenger.config.model import TransportConfig
from messenger.control.plane import Control, hostname
from messenger.envelope import AnyEnvelope, Envelope
from messenger.errors import as_failure
from messenger.failure.handling import FailureHandling
from messenger.handling.batch import Batches
from messenger.printable import SHORT, printable
from messenger.stamps import BusNameStamp, Stamp
from messenger.transports.base import Transport, TransportContext
from messenger.transports.factory import create_transport
from messenger.wiring.assemble import OpenLockStore, assemble
from messenger.wiring.control import open_control, open_lock_store
from messenger.wiring.failures import make_failure_handling
from messenger.wiring.modules import run_setup
from messenger.wiring.transports import CreateTransport

if TYPE_CHECKING:
    from messenger.rate_limit.factory import NamedRateLimiter

log = logging.getLogger(__name__)
M = TypeVar("M")


class Application:
    """The buses, transports and handlers of one messenger.yaml.

        app = Application.load("messenger.yaml")
        app.dispatch(SmsNotification("hello"))

    Transports connect at first use. Any number of threads may dispatch: each has a connection for the time that it
    needs one. A process that was forked opens its own.

    Attributes:
        loaded: The configuration, and where it came from.
        config: What messenger.yaml says.
        notes: What was assumed because the file does not say it; a command shows them once.
        host: The name of this host in the registry of workers.
        worker_id: Unique for each application in each process.
        events: An application's own listeners for what workers report (messenger.events); add them in `setup`.
        handlers: The registry of handlers.
        messages: The registry of message classes.
        router: The transports of a message.
        serializer: Writes and reads messages as transports store them.
        locks: Of the messages with a DeduplicateStamp.
        buses: The buses by name.
        bus: The default bus.
        reset_hooks: What a worker calls after each message; add to them with `on_reset`.
        failure_transports: The failure transport of each transport; None: failed messages are discarded.
    """

    def __init__(
        self,
        loaded: LoadedConfig,
        create: CreateTransport = create_transport,
        open_locks: OpenLockStore = open_lock_store,
    ) -> None:
        """Assemble an application, and run its `setup`.

        Args:
            loaded: The configuration.
            create: Creates a transport, at its first use.
            open_locks: Opens the store of the locks, at its first use.

        Raises:
            ConfigError: One line that says what to change; HandlerDefinitionError for a handler.
        """
        parts = assemble(loaded, create, open_locks, self.dispatch_received)
        self._parts = parts
        self.reset_hooks: list[Callable[[], object]] = []
        self.loaded = loaded
        self.config = loaded.messenger
        self.notes = [*loaded.notes, *parts.configs.notes, *parts.modules.notes, *parts.rate_limiters.notes]
        self.host = hostname(loaded.environment)
        self.worker_id = parts.context.worker_id
        self.events = parts.events
        self.handlers = parts.modules.handlers
        self.messages = parts.modules.messages
        self.router = parts.router
        self.serializer = parts.serializer
        self.locks = parts.locks
        self.buses = parts.buses
        self.bus = parts.default_bus
        self.failure_transports = parts.configs.failure
        self._set_up()

    def _set_up(self) -> None:
        """Provide the application and its default bus to handlers, and run the application's own `setup`."""
        self.provide(self)
        self.provide(self.bus)
        if self.config.setup is not None:
            run_setup(self.config.setup, f"{self.loaded.path}: setup", self, self._parts.bus_factory.loops.complete)

    @classmethod
    def load(cls, path: str | Path = "messenger.yaml", environ: Mapping[str, str] | None = None) -> Application:
        """Read a messenger.yaml, import the handler modules it names and assemble the application.

        Args:
            path: The file.
            environ: The environment to use instead of the process's.

        Raises:
            ConfigError: One line that says what to change; HandlerDefinitionError for a handler.
        """
        return cls(load_config(Path(path), os.environ if environ is None else environ))

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
        """Handle a received message on the bus that its BusNameStamp names, or on the default bus.

        Args:
            envelope: The message.
            bus_name: The bus to use instead.

        Returns:
            The envelope with a HandledStamp for each handler that succeeded.

        Raises:
            HandlerFailed: A handler failed.
            NoHandlerForMessage: The message has no handler.
        """
        outboxes = self._parts.outboxes
        own = outboxes.bus_for(envelope) if outboxes is not None else None
        if own is not None:
            return own.dispatch(envelope)
        if bus_name is not None:
            return self.buses[bus_name].dispatch(envelope)
        stamp = envelope.last(BusNameStamp)
        if stamp is None:
            return self.bus.dispatch(envelope)
        bus = self.buses.get(stamp.bus_name)
        if bus is None:
            log.warning("unknown_bus name=%s: using %s", printable(stamp.bus_name, SHORT), self.bus.name)
            bus = self.bus
        return bus.dispatch(envelope)

    def provide(self, thing: object, annotation: type[Any] | None = None) -> None:
        """Provide an object for every handler parameter annotated with its class.

        The application itself and its default MessageBus are provided. Workers do this in the function that `setup` in
        messenger.yaml names.

        Args:
            thing: The object.
            annotation: A class to match instead of the object's own, such as a base or a protocol.

        Raises:
            ConfigError: An object is provided for that class already, or a message was handled before.
        """
        self._parts.arguments.provide(thing, annotation)

    def on_reset(self, hook: Callable[[], object]) -> None:
        """Add a function that a worker calls after each message.

        It drops state that one message must not leave to the next, or checks that a connection works. While it raises,
        the worker takes no message and tries again.

        Args:
            hook: The function. An async one is awaited where async handlers run.
        """
        self.reset_hooks.append(hook)

    def reset(self) -> Exception | None:
        """Call every reset hook.

        Returns:
            The first error that a hook raised, or None.
        """
        failed: Exception | None = None
        for hook in self.reset_hooks:
            try:
                self._parts.bus_factory.loops.complete(copy_context().run(hook))
            except BaseException as error:
                failed = failed or as_failure(error, "a reset hook")
        return failed

    def finish_tasks(self) -> None:
        """Wait for the tasks that async handlers left running, 5 seconds at most; the log names those still running."""
        self._parts.bus_factory.loops.finish_tasks()

    @property
    def batches(self) -> Batches:
        """The messages that wait for batch handlers."""
        return self._parts.bus_factory.batches

    def check_handlers(self) -> None:
        """Check that the arguments of each handler can be provided; done before the first message at the latest.

        Raises:
            HandlerDefinitionError: A parameter cannot be filled; the error names file and line.
        """
        self._parts.arguments.check()

    def transport(self, name: str) -> Transport:
        """Return the transport of this name; it is created at its first use.

        Raises:
            ConfigError: There is no such transport; the error lists the known names.
        """
        return self._parts.transports.get(name)

    @property
    def transport_names(self) -> tuple[str, ...]:
        """The names of all transports, including the assumed failure transport."""
        return tuple(self._parts.configs.by_name)

    @property
    def failure_transport_names(self) -> tuple[str, ...]:
        """The names of the transports that hold failed messages, each once."""
        return self._parts.configs.failure_names

    def transport_config(self, name: str) -> TransportConfig:
        """Return the configuration of a transport; also of the assumed failure transport."""
        return self._parts.configs.by_name[name]

    def transport_context(self) -> TransportContext:
        """Return what the transports are created with."""
        return self._parts.context

    def max_deliveries(self, name: str) -> int:
        """Return how often a message of this transport may be delivered without being settled; 0 means no limit."""
        return self._parts.configs.by_name[name].max_deliveries

    def weight(self, name: str) -> int:
        """Return the share of this transport among several that are served by weight."""
        return self.transport_config(name).weight

    def rate_limiter(self, transport: str) -> NamedRateLimiter | None:
        """Return the rate limiter of a transport, or None."""
        name = self.transport_config(transport).rate_limiter
        return self._parts.rate_limiters.by_name[name] if name is not None else None

    def failure_handling(self) -> FailureHandling:
        """Create the object that decides on failed messages.

        Raises:
            ConfigError: A retry strategy or an error class of messenger.yaml cannot be used.
        """
        return make_failure_handling(
            self.loaded.path, self._parts.configs, self.transport, self.config.infrastructure_errors
        )

    def control(self) -> Control | None:
        """Open a new connection to the control plane. Return None when the configuration names no Redis."""
        return open_control(self.loaded, self._parts.configs.by_name)

    @property
    def release(self) -> str:
        """The release that the application was started from: MESSENGER_RELEASE, or REVISION beside messenger.yaml."""
        named = self.loaded.environment.get("MESSENGER_RELEASE")
        if named:
            return named
        try:
            return (self.loaded.directory / "REVISION").read_text(encoding="utf-8").strip() or "-"
        except (OSError, UnicodeDecodeError):
            return "-"

    def close(self) -> None:
        """Close connections and event loops."""
        self._parts.close()
