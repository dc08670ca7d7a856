"""Names in messenger.yaml that must be the name of something else there."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from messenger.config.mistakes import Mistakes, shown
from messenger.config.model import MessengerConfig


def check_references(config: MessengerConfig, mistakes: Mistakes) -> None:
    """Raises ConfigError for the first name that names nothing, listing what is there."""
    for where, name, what, known in _references(config):
        if isinstance(name, str) and name not in known:
            allowed = ", ".join(known) or "none"
            raise mistakes.error(where, f"found {shown(name)}, which is no {what}; allowed: {allowed}")
    if len(config.buses) > 1 and config.default_bus is None:
        raise mistakes.error("default_bus", f"missing; allowed: {', '.join(config.buses)}")


def _references(config: MessengerConfig) -> Iterator[tuple[str, object, str, Collection[str]]]:
    """Key, the name that stands there, what it must be, and the names of those that are there."""
    yield "failure_transport", config.failure_transport, "transport", config.transports
    for name, transport in config.transports.items():
        yield f"transports.{name}.failure_transport", transport.failure_transport, "transport", config.transports
        yield f"transports.{name}.rate_limiter", transport.rate_limiter, "rate limiter", config.rate_limiters
    for key, names in config.routing.items():
        for name in names:
            yield f"routing.{key}", name, "transport", config.transports
    if config.buses:
        yield "default_bus", config.default_bus, "bus", config.buses
