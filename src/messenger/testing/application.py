"""The application of a messenger.yaml with every transport in memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from msgspec import UnsetType
from msgspec.structs import replace

from messenger.application import Application
from messenger.config.loader import LoadedConfig, load_config
from messenger.config.model import BusConfig, MessengerConfig, TransportConfig
from messenger.deduplication.in_process import InProcessLockStore
from messenger.errors import ConfigError
from messenger.testing.clock import Clock
from messenger.testing.processing import Failure, Processing
from messenger.testing.transport import AssertableTransport, RecordingTransport
from messenger.transports.base import Transport, TransportContext
from messenger.transports.factory import create_transport

_SYNC = "sync:"
_TRANSACTION = "doctrine_transaction"
_IN_MEMORY = "in-memory://?serialize=true"


class InMemoryApplication:
    """An application for tests, without a server, threads or real time.

        messenger = InMemoryApplication.load("messenger.yaml")
        place_order(messenger.application)
        messenger.transport("async").assert_sent(SmsNotification, times=1)

    Routing, buses, handlers, retries and failure transports are those of the file. Messages are encoded and decoded as
    on a real transport, so that a message that cannot be encoded is found. Retry delays have no jitter. `sync://` still
    handles at once.

    Attributes:
        application: The application that the code under test dispatches with.
        clock: The time of delayed messages and retries.
    """

    def __init__(self, loaded: LoadedConfig) -> None:
        """Create an application.

        Args:
            loaded: The configuration.

        Raises:
            ConfigError: The configuration cannot be used.
        """
        self.clock = Clock()
        in_memory = LoadedConfig(loaded.path, _in_memory(loaded.messenger), loaded.environment)
        locks = InProcessLockStore(self.clock)
        self.application = Application(in_memory, partial(_create, self.clock), lambda where, control: locks)
        self._processing = Processing(self.application)

    @classmethod
    def load(cls, path: str | Path = "messenger.yaml", environ: Mapping[str, str] | None = None) -> InMemoryApplication:
        """Read a messenger.yaml; see Application.load.

        Args:
            path: The file.
            environ: The environment to use instead of the process's.

        Raises:
            ConfigError: The configuration cannot be used.
        """
        return cls(load_config(Path(path), os.environ if environ is None else environ))

    def transport(self, name: str) -> AssertableTransport:
        """Return the transport of this name, for assertions and for handling its messages.

        Raises:
            ConfigError: There is no such transport, or it is sync://.
        """
        transport = self.application.transport(name)
        if not isinstance(transport, RecordingTransport):
            raise ConfigError(
                f"the transport {name!r} is sync://: it handles what is dispatched at once and holds nothing"
            )
        return AssertableTransport(transport, self._processing)

    def process(self) -> int:
        """Handle the due messages of every transport except failure transports, in the order of messenger.yaml.

        See AssertableTransport.process.

        Returns:
            The number of messages, including failed ones.
        """
        __tracebackhide__ = True
        return self._process(lambda failure: None)

    def process_or_fail(self) -> int:
        """Handle due messages as `process` does, and fail at the first message that fails, after it is settled.

        Returns:
            The number of messages.

        Raises:
            AssertionError: A message failed.
        """
        __tracebackhide__ = True

        def fail(failure: Failure) -> None:
            __tracebackhide__ = True
            raise AssertionError(str(failure)) from failure.cause

        return self._process(fail)

    def _process(self, on_failure: Callable[[Failure], None]) -> int:
        __tracebackhide__ = True
        names = [
            name
            for name in self.application.transport_names
            if name not in self.application.failure_transport_names
            and isinstance(self.application.transport(name), RecordingTransport)
        ]
        return self._processing.run(names, None, on_failure)

    def close(self) -> None:
        """Close the event loop of async handlers."""
        self.application.close()


def _in_memory(config: MessengerConfig) -> MessengerConfig:
    """Return the configuration without servers, so that nothing made from it can reach one."""
    transports = {name: _without_server(transport) for name, transport in config.transports.items()}
    if isinstance(config.failure_transport, UnsetType):  # otherwise it would be assumed in SQLite
        transports.setdefault("failed", _without_server(TransportConfig(dsn=_IN_MEMORY)))
    buses = {name: _without_transaction(bus) for name, bus in config.buses.items()}
    return replace(config, transports=transports, buses=buses, connections={}, control=None)


def _without_transaction(bus: BusConfig) -> BusConfig:
    named = [item for item in bus.middleware if _TRANSACTION not in ([item] if isinstance(item, str) else item)]
    return replace(bus, middleware=named)


def _without_server(transport: TransportConfig) -> TransportConfig:
    if transport.dsn.startswith(_SYNC):
        return transport
    retry = transport.retry_strategy
    if retry.service is None:
        retry = replace(retry, jitter=0.0)
    return replace(transport, dsn=_IN_MEMORY, options={}, retry_strategy=retry, outbox=None)


def _create(clock: Clock, name: str, config: TransportConfig, context: TransportContext) -> Transport:
    if config.dsn.startswith(_SYNC):
        return create_transport(name, config, context)
    return RecordingTransport(name, context.serializer, clock)
