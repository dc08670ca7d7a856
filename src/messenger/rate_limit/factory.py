"""The rate limiters that messenger.yaml names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from messenger.config.features import RateLimiterConfig
from messenger.config.importing import import_name, make
from messenger.control.plane import Control
from messenger.errors import ConfigError
from messenger.rate_limit.limiter import Rate, RateLimiter


@dataclass(frozen=True, slots=True)
class NamedRateLimiter:
    """A limiter as messenger.yaml describes it.

    Attributes:
        name: Its name in messenger.yaml.
        limiter: The limiter.
        field: Field of the message that is its key; None without a key.
    """

    name: str
    limiter: RateLimiter
    field: str | None = None

    def key_of(self, message: object) -> str:
        """The key of a message. Those without the field, or with None in it, share one."""
        value = getattr(message, self.field, None) if self.field is not None else None
        return "" if value is None else str(value)

    def close(self) -> None:
        """Let go of a connection, if the limiter has one."""
        close = getattr(self.limiter, "close", None)
        if callable(close):
            close()


def make_rate_limiters(
    where: str, configs: Mapping[str, RateLimiterConfig], control: Control | None
) -> dict[str, NamedRateLimiter]:
    """Create the limiters by name. None of them connects yet.

    Args:
        where: The configuration file, for errors.
        configs: The limiters of messenger.yaml.
        control: Where the Redis is in which they count; None: each process counts for itself.

    Raises:
        ConfigError: A service cannot be created.
    """
    return {
        name: NamedRateLimiter(name, _make(f"{where}: rate_limiters.{name}", name, config, control), config.key)
        for name, config in configs.items()
    }


def _make(where: str, name: str, config: RateLimiterConfig, control: Control | None) -> RateLimiter:
    if config.service is not None:
        return _make_service(f"{where}.service", config.service)
    rate = Rate(config.limit, config.interval, config.burst)
    in_turn = config.key is not None
    if control is None:
        from messenger.rate_limit.in_process import InProcessRateLimiter

        return InProcessRateLimiter(rate, in_turn=in_turn)
    from messenger.rate_limit.in_redis import RedisRateLimiter

    return RedisRateLimiter(control.options, f"{control.prefix}:rate:{name}", rate, in_turn=in_turn)


def _make_service(where: str, service: str) -> RateLimiter:
    cls = import_name(service, where)
    if not callable(cls):
        raise ConfigError(f"{where}: {service!r} is no class; allowed: one with acquire(key) and give_back(key)")
    made = make(cls, (), service, where)
    if not isinstance(made, RateLimiter):
        raise ConfigError(f"{where}: {service!r} is no rate limiter: it must have acquire(key) and give_back(key)")
    return made
