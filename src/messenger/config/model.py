"""The keys of messenger.yaml, their types, defaults and bounds (spec section 6). The reference is made from these."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field


class RetryStrategyConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """How often and after what delay a failed message is tried again. delay and max_delay: milliseconds."""

    max_retries: Annotated[int, Meta(ge=0)] = 3
    delay: Annotated[int, Meta(ge=0)] = 1000
    multiplier: Annotated[float, Meta(ge=1)] = 2.0
    max_delay: Annotated[int, Meta(ge=0)] = 0
    jitter: Annotated[float, Meta(ge=0, le=1)] = 0.1


class TransportConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """One transport. failure_transport: null discards what cannot be handled, for this transport only.

    max_deliveries: a message that was handed out this often and never settled killed its workers; it is put aside
    without running again. 0: no limit.
    """

    dsn: str
    options: dict[str, Any] = field(default_factory=dict)
    retry_strategy: RetryStrategyConfig = RetryStrategyConfig()
    failure_transport: str | None | UnsetType = UNSET
    max_deliveries: Annotated[int, Meta(ge=0)] = 3
    serializer: str | None = None


class SendersConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """The long form of a route."""

    senders: list[str]


class DefaultMiddlewareConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Which checks the built-in middleware makes."""

    enabled: bool = True
    allow_no_handlers: bool = False
    allow_no_senders: bool = True


class BusConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """One bus.

    middleware: dotted names of classes with ``handle(envelope, following)``, or ``{name: [argument, …]}``.
    """

    default_middleware: DefaultMiddlewareConfig | bool | Literal["allow_no_handlers"] = DefaultMiddlewareConfig()
    middleware: list[str | Annotated[dict[str, Any], Meta(min_length=1, max_length=1)]] = field(default_factory=list)


class SymfonySerializerConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """How messages are written: JSON. context: Symfony's own; it says nothing here."""

    format: Literal["json"] = "json"
    context: dict[str, Any] = field(default_factory=dict)


class SerializerConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Symfony's choice of a serializer. PHP's serialize() is never read here, so there is one choice."""

    default_serializer: Literal["messenger.transport.symfony_serializer"] = "messenger.transport.symfony_serializer"
    symfony_serializer: SymfonySerializerConfig = SymfonySerializerConfig()


class MessengerConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything below `framework: messenger:` or `messenger:`.

    name: keeps applications that share one Redis apart. handlers: modules that hold handlers.
    setup: a function that is called with the Application when it is loaded.
    connections: SQL URLs for doctrine://<name>. control: the Redis that workers report to, a DSN; by default that of
    the first Redis transport. failure_transport: null discards what cannot be handled.
    """

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]+$")] = "messenger"
    handlers: list[str] = field(default_factory=list)
    setup: str | None = None
    transports: dict[str, TransportConfig] = field(default_factory=dict)
    routing: dict[str, list[str]] = field(default_factory=dict)
    failure_transport: str | None | UnsetType = UNSET
    default_bus: str | None = None
    buses: dict[str, BusConfig] = field(default_factory=dict)
    connections: dict[str, str] = field(default_factory=dict)
    control: str | None = None
    serializer: SerializerConfig = SerializerConfig()
