"""The keys of messenger.yaml: their types, defaults, bounds and meaning.

scripts/config_reference.py makes the reference and the editor's schema from this file; run it after a change here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import astuple

from messenger.config.features import RateLimiterConfig, SerializerConfig, SerializerName, SigningConfig

Count = Annotated[int, Meta(ge=0)]
Seconds = Annotated[float, Meta(gt=0, le=31_622_400)]  # a year at most
Milliseconds = Annotated[int, Meta(ge=0, le=31_622_400_000)]


class RetryStrategyConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """How often and after what delay a failed message is tried again.

    max_retries: How often a failed message is tried again. 0: never.
    delay: Milliseconds before the first retry.
    multiplier: Each further retry waits this many times longer than the one before.
    max_delay: Milliseconds that a retry waits at most, whatever `multiplier` says. 0: no cap.
    jitter: The part of the delay that is random: 0.1 is plus or minus 10 %.
    service: A class of the application, by its dotted name, with `is_retryable(envelope, error)` and
    `waiting_time(envelope, error)`; it decides instead of the keys above, which must then be absent. It returns True or
    False, and whole milliseconds; where it does not, or raises, the default strategy decides and the log says so.
    """

    max_retries: Count = 3
    delay: Milliseconds = 1000
    multiplier: Annotated[float, Meta(ge=1, le=1000)] = 2.0
    max_delay: Milliseconds = 0
    jitter: Annotated[float, Meta(ge=0, le=1)] = 0.1
    service: str | None = None

    def __post_init__(self) -> None:
        if self.service is not None and astuple(self)[:-1] != self.__struct_defaults__[:-1]:
            raise ValueError("found other keys beside 'service'; allowed: 'service' alone")


class TransportConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """One transport: where its messages are kept, and what becomes of those that fail.

    dsn: Where the messages are kept: `redis://…`, `doctrine://CONNECTION`, `in-memory://` or `sync://`.
    options: The transport's options, as in the DSN's query; what the DSN says wins.
    retry_strategy: How often and after what delay a failed message is tried again.
    failure_transport: The transport that messages of this one go to when their retries are used up. Not set: the
    global `failure_transport`. `null` discards them.
    max_deliveries: A message handed out this often and never settled kills its workers: it goes to the failure
    transport without running again. 0: no limit.
    max_age: Seconds, more than 0, that a message may wait here. When one waits longer, `messenger stats` marks the
    transport LATE and `messenger stats --alarm` fails. Not set: no alarm.
    outbox: Another transport, a SQL one: what is dispatched to this one is stored there first, and a worker that
    consumes that one passes it on; [see there](outbox.md).
    rate_limiter: The one of `rate_limiters` that says how often messages of this transport are handled.
    weight: Its share when `consume --order=weighted` serves several transports.
    priority: Where it stands with `consume --all`: higher first, equal ones in the order of the file.
    serializer: Symfony's key; JSON is what is always used, so there is one choice.
    """

    dsn: str
    options: dict[str, Any] = {}
    retry_strategy: RetryStrategyConfig = RetryStrategyConfig()
    failure_transport: str | None | UnsetType = UNSET
    max_deliveries: Count = 3
    max_age: Seconds | None = None
    outbox: str | None = None
    rate_limiter: str | None = None
    weight: Annotated[int, Meta(ge=1)] = 1
    priority: int = 0
    serializer: SerializerName | None = None


class SendersConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """The long form of a route.

    senders: The transports that the message is sent to.
    """

    senders: list[str]


class DefaultMiddlewareConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Which checks the built-in middleware makes.

    enabled: Whether the bus sends and handles messages at all.
    allow_no_handlers: Whether a message without a handler is no error.
    allow_no_senders: `false`: a message that is routed nowhere is refused instead of being handled at once.
    """

    enabled: bool = True
    allow_no_handlers: bool = False
    allow_no_senders: bool = True


class BusConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """One bus.

    default_middleware: The built-in middleware: on, off, on without the check for a handler, or a map that says
    each of these.
    middleware: The application's own steps, in order: dotted class names, or `{class: [argument, …]}`; or
    `doctrine_transaction`, or with `default_middleware: false` Symfony's built-in steps; [see below](#middleware).
    """

    default_middleware: DefaultMiddlewareConfig | bool | Literal["allow_no_handlers"] = DefaultMiddlewareConfig()
    middleware: list[str | Annotated[dict[str, Any], Meta(min_length=1, max_length=1)]] = []


class MessengerConfig(Struct, frozen=True, forbid_unknown_fields=True):
    r"""Everything below `framework: messenger:` or `messenger:`.

    name: Keeps applications apart that share one Redis: the prefix of the worker registry and the stop signal.
    handlers: Modules that hold `@handler`s; imported at the start, and beside them only what `setup` and
    `middleware` name.
    setup: A function, by its dotted name, that is called once with the `Application` when it is loaded; it
    [provides what handlers ask for](handlers.md).
    transports: The transports by name: a DSN, or a map of the keys below.
    routing: The transport, or the list of transports, that a message is sent to. The key is a dotted Python class,
    a wire name (a PHP class), `pkg.module.*`, `App\Message\*` or `*`. A message routed nowhere is handled at once.
    failure_transport: The transport that messages go to when their retries are used up. Not set: the transport
    `failed` if there is one, else an SQLite store of that name; a note says so. `null` discards them.
    default_bus: The bus that dispatches when none is named; needed with several buses.
    buses: The buses by name. Not set: one.
    connections: SQL URLs for `doctrine://NAME`, e.g. `default: '%env(DATABASE_URL)%'`. `default` not set: an SQLite
    file in the state directory.
    control: The DSN of the Redis that workers report to and take the stop signal from. Not set: the first Redis
    transport's.
    rate_limiters: Limits by name, for the key `rate_limiter` of transports; [see there](rate-limits.md).
    handler_timeout: Seconds after which a handler without a `timeout` of its own is interrupted.
    infrastructure_errors: Exceptions, by their dotted names, that say that something handlers need is away, such as
    `sqlalchemy.exc.OperationalError`: the message goes back without using up a try, and the worker waits.
    serializer: Symfony's choice of a serializer.
    enabled: Symfony's key; `true` is the one choice, for this file is only read where messages are handled.
    reset_on_message: Symfony's key; `true` is the one choice, and `messenger consume --no-reset` the other.
    stop_worker_on_signals: More signals that let a worker finish its message and stop, e.g. `SIGALRM`, beside
    SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1 and SIGUSR2, which always do.
    signing: The key of [signed messages](signing.md). Not set: none may be signed.
    """

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]+$")] = "messenger"
    handlers: list[str] = []
    setup: str | None = None
    transports: dict[str, TransportConfig] = {}
    routing: dict[str, list[str]] = {}
    failure_transport: str | None | UnsetType = UNSET
    default_bus: str | None = None
    buses: dict[str, BusConfig] = {}
    connections: dict[str, str] = {}
    control: str | None = None
    rate_limiters: dict[str, RateLimiterConfig] = {}
    handler_timeout: Seconds | None = None
    infrastructure_errors: list[str] = []
    serializer: SerializerConfig = SerializerConfig()
    enabled: bool = True
    reset_on_message: bool | None = None
    stop_worker_on_signals: list[str | int] = []
    signing: SigningConfig | None = None

    def __post_init__(self) -> None:
        if not self.enabled:
            raise ValueError("found enabled: false; allowed: true, or no such key")
        if self.reset_on_message is False:
            raise ValueError(
                "found reset_on_message: false; allowed: true; for false, run messenger consume with --no-reset"
            )
