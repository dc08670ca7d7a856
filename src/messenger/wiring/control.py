"""The control plane that messenger.yaml means, and the store of locks in it."""

from __future__ import annotations

from collections.abc import Mapping

from messenger.config.loader import LoadedConfig
from messenger.config.model import TransportConfig
from messenger.control.plane import Control
from messenger.deduplication.lock_store import LockStore
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


def open_lock_store(where: str, control: Control | None) -> LockStore:
    """Open the lock store in the Redis of the control plane. It connects at first use.

    Args:
        where: The configuration file, for errors.
        control: The options of that Redis.

    Raises:
        ConfigError: There is no control plane.
    """
    if control is None:
        raise ConfigError(
            f"{where}: a message has a DeduplicateStamp, and there is no Redis for its lock; set "
            "'control: redis://HOST' beside 'transports'"
        )
    from messenger.deduplication.in_redis import RedisLockStore

    return RedisLockStore(control.options, f"{control.prefix}:deduplicate")
