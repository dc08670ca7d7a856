"""The transports of messenger.yaml: which there are, each of them once it is needed, and who sends a message."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from msgspec import UnsetType

from messenger.config.loader import LoadedConfig
from messenger.config.model import TransportConfig
from messenger.envelope import AnyEnvelope
from messenger.errors import ConfigError
from messenger.messages import MessageRegistry, message_options
from messenger.middleware.send_message import refuse_outside
from messenger.routing import Router
from messenger.transports.base import Sender, Transport, TransportContext
from messenger.transports.distinct import check_distinct

CreateTransport = Callable[[str, TransportConfig, TransportContext], Transport]
_EMBEDDED_FAILED = TransportConfig(dsn="doctrine://default?queue_name=failed")


@dataclass(frozen=True, slots=True)
class TransportConfigs:
    """What messenger.yaml says of its transports, and what is assumed where it says nothing.

    Attributes:
        by_name: Every transport, the assumed failure transport included.
        failure: The failure transport of each; None only where the file says `failure_transport: null`.
        notes: What was assumed.
    """

    by_name: Mapping[str, TransportConfig]
    failure: Mapping[str, str | None]
    notes: Sequence[str] = ()

    @property
    def failure_names(self) -> tuple[str, ...]:
        """The transports that hold failed messages, each once."""
        return tuple({name: None for name in self.failure.values() if name is not None})

    def check_messages(self, messages: MessageRegistry) -> None:
        """Check that the transports named by @message exist.

        Raises:
            ConfigError: One does not.
        """
        for cls in messages.classes:
            for name in message_options(cls).transports:
                if name not in self.by_name:
                    raise ConfigError(
                        f"@message on {cls.__module__}.{cls.__qualname__} names the transport {name!r}; "
                        f"known: {', '.join(self.by_name)}"
                    )


def transport_configs(loaded: LoadedConfig) -> TransportConfigs:
    """Return the transports of a configuration, each with its failure transport.

    Raises:
        ConfigError: Two transports are one and the same queue.
    """
    config, notes = loaded.messenger, []
    by_name = dict(config.transports)
    default = config.failure_transport
    if isinstance(default, UnsetType):
        default = "failed"
        if "failed" in by_name:
            notes.append("no failure_transport is set: using the transport 'failed' for failed messages")
        else:
            by_name["failed"] = _EMBEDDED_FAILED
            notes.append(
                f"no failure_transport is set: failed messages are kept in 'failed' ({_EMBEDDED_FAILED.dsn}); "
                "write 'failure_transport: null' to discard them"
            )
    failure = {
        name: default if isinstance(each.failure_transport, UnsetType) else each.failure_transport
        for name, each in by_name.items()
    }
    try:
        check_distinct(by_name, config.connections, failure, loaded.state_dir)
    except ConfigError as error:
        raise ConfigError(f"{loaded.path}: {error}") from None
    return TransportConfigs(by_name, failure, notes)


class Transports:
    """The transports of an application, each created at first use."""

    def __init__(
        self, path: Path, configs: Mapping[str, TransportConfig], create: CreateTransport, context: TransportContext
    ) -> None:
        """Create none of them yet.

        Args:
            path: The configuration file, for errors.
            configs: What is known of each, by name.
            create: Creates one.
            context: What it gets from the application.
        """
        self._path = path
        self._configs = configs
        self._create = create
        self._context = context
        self._created: dict[str, Transport] = {}

    def get(self, name: str) -> Transport:
        """Return the transport of this name.

        Raises:
            ConfigError: It does not exist, or its DSN or options cannot be used.
        """
        found = self._created.get(name)
        return found if found is not None else self._add(name)

    def _add(self, name: str) -> Transport:
        config = self._configs.get(name)
        if config is None:
            raise ConfigError(f"no transport is called {name!r}; known: {', '.join(self._configs) or 'none'}")
        context = replace(self._context, max_deliveries=config.max_deliveries)
        try:
            return self._created.setdefault(name, self._create(name, config, context))
        except ConfigError as error:
            raise ConfigError(f"{self._path}: {error}") from None

    def close(self) -> None:
        """Close those that were created."""
        for transport in self._created.values():
            transport.close()


class SendersLocator:
    """Finds the senders of a message."""

    def __init__(self, router: Router, sender: Callable[[str], Sender]) -> None:
        """Create it.

        Args:
            router: Names the transports of a message.
            sender: Returns the sender to a transport: the transport itself, or its outbox.
        """
        self._router = router
        self._sender = sender

    def senders(self, envelope: AnyEnvelope) -> list[tuple[str, Sender]]:
        """Return the transport names of a message and what sends to them, in order.

        Raises:
            TransportError: The message has a SqlConnectionStamp, and one of them cannot take part in the transaction.
        """
        found = [(name, self._sender(name)) for name in self._router.transport_names(envelope)]
        refuse_outside(envelope, found)
        return found
