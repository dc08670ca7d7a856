"""What decides on failed messages, as messenger.yaml says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from messenger.config.importing import import_name
from messenger.errors import ConfigError, InfrastructureError, TransportUnavailable
from messenger.failure.handling import FailureHandling
from messenger.failure.retry import RetryStrategy, make_retry_strategy
from messenger.transports.base import Transport
from messenger.wiring.transports import TransportConfigs


def make_failure_handling(
    path: Path, configs: TransportConfigs, transport: Callable[[str], Transport], infrastructure_errors: Sequence[str]
) -> FailureHandling:
    """Create the object that decides on failed messages.

    Args:
        path: The configuration file, for errors.
        configs: The transports.
        transport: Returns a transport by its name.
        infrastructure_errors: Dotted names of errors that mean that something the handlers need is unavailable.

    Raises:
        ConfigError: A strategy or an error class cannot be used.
    """
    return FailureHandling(
        make_retry_strategies(path, configs),
        configs.failure,
        transport,
        find_infrastructure_errors(path, infrastructure_errors),
    )


def make_retry_strategies(path: Path, configs: TransportConfigs) -> dict[str, RetryStrategy]:
    """Create the retry strategy of each transport.

    Raises:
        ConfigError: A `service` is not a retry strategy.
    """
    return {
        name: make_retry_strategy(config.retry_strategy, f"{path}: transports.{name}.retry_strategy.service")
        for name, config in configs.by_name.items()
    }


def find_infrastructure_errors(path: Path, names: Sequence[str]) -> tuple[type[Exception], ...]:
    """Return the error classes of these names, and those of this package.

    Raises:
        ConfigError: A name is not that of an error class.
    """
    found: list[type[Exception]] = [InfrastructureError, TransportUnavailable]
    where = f"{path}: infrastructure_errors"
    for name in names:
        cls = import_name(name, where)
        if not (isinstance(cls, type) and issubclass(cls, Exception)):
            raise ConfigError(f"{where}: {name!r} is no Exception class")
        found.append(cls)
    return tuple(found)
