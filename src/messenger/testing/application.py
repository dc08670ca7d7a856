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
    """An application for tests: no server, no thread, no real time.

        messenger = InMemoryApplication.load("messenger.yaml")
        place_order(messenger.application)
        messenger.transport("async").assert_sent(SmsNotification, times=1)

    Routing, buses, handlers, retries and failure transports are those of the file. Messages are written and read as
    on a real transport, so that what cannot be is found. Retry delays have no jitter. `sync://` still handles at once.

    application: what the code under test dispatches with.
    clock: when delayed messages and retries are due.
    """

    def __init__(self, loaded: LoadedConfig) -> None:
        self.clock = Clock()
        in_memory = LoadedConfig(loaded.path, _in_memory(loaded.messenger), loaded.environment)
        locks = InProcessLockStore(self.clock)
        self.application = Application(in_memory, partial(_create, self.clock), lambda where, control: locks)
        self._processing = Processing(self.application)

    @classmethod
    def load(cls, path: str | Path = "messenger.yaml", environ: Mapping[str, str] | None = None) -> InMemoryApplication:
        """Read a messenger.yaml; see Application.load. Raises ConfigError.

        environ: instead of the process's environment.
        """
        return cls(load_config(Path(path), os.environ if environ is None else environ))

    def transport(self, name: str) -> AssertableTransport:
        """The transport of this name, to look at and to work on. Raises ConfigError with the known names."""
        transport = self.application.transport(name)
        if not isinstance(transport, RecordingTransport):
            raise ConfigError(
                f"the transport {name!r} is sync://: it handles what is dispatched at once and holds nothing"
            )
        return AssertableTransport(transport, self._processing)

    def process(self) -> int:
        """Handle what is due in every transport but the failure transports, in the order of messenger.yaml.

        As AssertableTransport.process. Returns how many were handled, failed ones included.
        """
        __tracebackhide__ = True
        return self._process(lambda failure: None)

    def process_or_fail(self) -> int:
        """The same, but the first message that fails is an AssertionError; it is settled first."""
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
        """Let go of the event loop that asynchronous handlers needed."""
        self.application.close()


def _in_memory(config: MessengerConfig) -> MessengerConfig:
    """The same configuration without a server in it: nothing made from it can reach one."""
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
