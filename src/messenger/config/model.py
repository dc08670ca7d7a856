"""The keys of messenger.yaml: their types, defaults, bounds and meaning (spec section 6).

scripts/config_reference.py makes the reference and the editor's schema from this file; run it after a change here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from messenger.config.features import SERIALIZER, RateLimiterConfig, SerializerConfig, SigningConfig


class RetryStrategyConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """How often and after what delay a failed message is tried again."""

    max_retries: Annotated[int, Meta(ge=0, description="How often a failed message is tried again. 0: never.")] = 3
    delay: Annotated[int, Meta(ge=0, description="Milliseconds before the first retry.")] = 1000
    multiplier: Annotated[
        float, Meta(ge=1, description="Each further retry waits this many times longer than the one before.")
    ] = 2.0
    max_delay: Annotated[
        int, Meta(ge=0, description="Milliseconds that a retry waits at most, whatever `multiplier` says. 0: no cap.")
    ] = 0
    jitter: Annotated[
        float, Meta(ge=0, le=1, description="The part of the delay that is random: 0.1 is plus or minus 10 %.")
    ] = 0.1
    service: Annotated[
        str | None,
        Meta(
            description="A class of the application, by its dotted name, with `is_retryable(envelope, error)` and "
            "`waiting_time(envelope, error)`; it decides instead of the keys above, which must then be absent."
        ),
    ] = None


class TransportConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """One transport: where its messages are kept, and what becomes of those that fail."""

    dsn: Annotated[
        str,
        Meta(
            description="Where the messages are kept: `redis://…`, `doctrine://CONNECTION`, `in-memory://` or `sync://`.",
            examples=[
                "%env(MESSENGER_TRANSPORT_DSN)%",
                "redis://localhost:6379/messages",
                "doctrine://default?queue_name=failed",
                "in-memory://",
                "sync://",
            ],
        ),
    ]
    options: Annotated[
        dict[str, Any], Meta(description="The transport's options, as in the DSN's query; what the DSN says wins.")
    ] = field(default_factory=dict)
    retry_strategy: Annotated[
        RetryStrategyConfig, Meta(description="How often and after what delay a failed message is tried again.")
    ] = RetryStrategyConfig()
    failure_transport: Annotated[
        str | None | UnsetType,
        Meta(
            description="The transport that messages of this one go to when their retries are used up. "
            "Not set: the global `failure_transport`. `null` discards them."
        ),
    ] = UNSET
    max_deliveries: Annotated[
        int,
        Meta(
            ge=0,
            description="A message handed out this often and never settled kills its workers: it goes to the failure "
            "transport without running again. 0: no limit.",
        ),
    ] = 3
    max_age: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Meta(
            description="Seconds, more than 0, that a message may wait here. When one waits longer, `messenger stats` "
            "marks the transport LATE and `messenger stats --alarm` fails. Not set: no alarm.",
        ),
    ] = None
    outbox: Annotated[
        str | None,
        Meta(
            description="Another transport, a SQL one: what is dispatched to this one is stored there first, and a "
            "worker that consumes that one passes it on; [see there](outbox.md)."
        ),
    ] = None
    rate_limiter: Annotated[
        str | None,
        Meta(description="The one of `rate_limiters` that says how often messages of this transport are handled."),
    ] = None
    weight: Annotated[
        int, Meta(ge=1, description="Its share when `consume --order=weighted` serves several transports.")
    ] = 1
    serializer: Annotated[
        str | None,
        Meta(
            description="Symfony's key; JSON is what is always used, so there is one choice.",
            extra_json_schema={"enum": [SERIALIZER, None]},
        ),
    ] = None


class SendersConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """The long form of a route."""

    senders: Annotated[list[str], Meta(description="The transports that the message is sent to.")]


class DefaultMiddlewareConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Which checks the built-in middleware makes."""

    enabled: Annotated[bool, Meta(description="Whether the bus sends and handles messages at all.")] = True
    allow_no_handlers: Annotated[bool, Meta(description="Whether a message without a handler is no error.")] = False
    allow_no_senders: Annotated[
        bool,
        Meta(description="`false`: a message that is routed nowhere is refused instead of being handled at once."),
    ] = True


class BusConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """One bus."""

    default_middleware: Annotated[
        DefaultMiddlewareConfig | bool | Literal["allow_no_handlers"],
        Meta(
            description="The built-in middleware: on, off, on without the check for a handler, or a map that says "
            "each of these."
        ),
    ] = DefaultMiddlewareConfig()
    middleware: Annotated[
        list[str | Annotated[dict[str, Any], Meta(min_length=1, max_length=1)]],
        Meta(
            description="The application's own steps, in order: dotted class names, or `{class: [argument, …]}`; "
            "or `doctrine_transaction`; [see below](#middleware)."
        ),
    ] = field(default_factory=list)


class MessengerConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything below `framework: messenger:` or `messenger:`."""

    name: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9_.-]+$",
            description="Keeps applications apart that share one Redis: the prefix of the worker registry and the stop "
            "signal.",
        ),
    ] = "messenger"
    handlers: Annotated[
        list[str],
        Meta(
            description="Modules that hold `@handler`s; imported at the start, and beside them only what `setup` and "
            "`middleware` name."
        ),
    ] = field(default_factory=list)
    setup: Annotated[
        str | None,
        Meta(
            description="A function, by its dotted name, that is called once with the `Application` when it is loaded; "
            "it [provides what handlers ask for](handlers.md)."
        ),
    ] = None
    transports: Annotated[
        dict[str, TransportConfig], Meta(description="The transports by name: a DSN, or a map of the keys below.")
    ] = field(default_factory=dict)
    routing: Annotated[
        dict[str, list[str]],
        Meta(
            description="The transport, or the list of transports, that a message is sent to. The key is a dotted "
            r"Python class, a wire name (a PHP class), `pkg.module.*`, `App\Message\*` or `*`. A message routed "
            "nowhere is handled at once."
        ),
    ] = field(default_factory=dict)
    failure_transport: Annotated[
        str | None | UnsetType,
        Meta(
            description="The transport that messages go to when their retries are used up. Not set: the transport "
            "`failed` if there is one, else an SQLite store of that name; a note says so. `null` discards them."
        ),
    ] = UNSET
    default_bus: Annotated[
        str | None, Meta(description="The bus that dispatches when none is named; needed with several buses.")
    ] = None
    buses: Annotated[dict[str, BusConfig], Meta(description="The buses by name. Not set: one.")] = field(
        default_factory=dict
    )
    connections: Annotated[
        dict[str, str],
        Meta(
            description="SQL URLs for `doctrine://NAME`, e.g. `default: '%env(DATABASE_URL)%'`. `default` not set: an "
            "SQLite file in the state directory."
        ),
    ] = field(default_factory=dict)
    control: Annotated[
        str | None,
        Meta(
            description="The DSN of the Redis that workers report to and take the stop signal from. Not set: the first "
            "Redis transport's."
        ),
    ] = None
    rate_limiters: Annotated[
        dict[str, RateLimiterConfig],
        Meta(description="Limits by name, for the key `rate_limiter` of transports; [see there](rate-limits.md)."),
    ] = field(default_factory=dict)
    handler_timeout: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Meta(description="Seconds after which a handler without a `timeout` of its own is interrupted."),
    ] = None
    infrastructure_errors: Annotated[
        list[str],
        Meta(
            description="Exceptions, by their dotted names, that say that something handlers need is away, such as "
            "`sqlalchemy.exc.OperationalError`: the message goes back without using up a try, and the worker waits."
        ),
    ] = field(default_factory=list)
    serializer: Annotated[SerializerConfig, Meta(description="Symfony's choice of a serializer.")] = SerializerConfig()
    signing: Annotated[
        SigningConfig | None, Meta(description="The key of [signed messages](signing.md). Not set: none may be signed.")
    ] = None
