"""The control plane that messenger.yaml means."""

from __future__ import annotations

from collections.abc import Mapping

from messenger.config.loader import LoadedConfig
from messenger.config.model import TransportConfig
from messenger.control.control import Control
from messenger.errors import ConfigError


def open_control(loaded: LoadedConfig, transports: Mapping[str, TransportConfig]) -> Control | None:
    """Return a new connection to the Redis of `control`, else of the first Redis transport; None: there is no Redis.

    It connects at first use.

    Raises:
        ConfigError: Its DSN cannot be used.
    """
    from messenger.redis.dsn import SCHEMES, parse_redis_dsn

    config = loaded.messenger
    if config.control is not None:
        try:
            return Control(parse_redis_dsn("control", config.control), config.name)
        except ConfigError as error:
            reason = str(error).removeprefix("transports.").removeprefix("control.dsn: ").removeprefix("control: ")
            raise ConfigError(f"{loaded.path}: control: {reason}") from None
    for name, transport in transports.items():
        if transport.dsn.split(":", 1)[0] in SCHEMES:
            return Control(parse_redis_dsn(name, transport.dsn, transport.options), config.name)
    return None
