"""The store of locks that messenger.yaml means."""

from __future__ import annotations

from messenger.control.control import Control
from messenger.deduplication.lock_store import LockStore
from messenger.errors import ConfigError


def open_lock_store(where: str, control: Control | None) -> LockStore:
    """The store in the Redis of the control plane. It connects at first use.

    where: the configuration file, for errors. Raises ConfigError when there is no control plane.
    """
    if control is None:
        raise ConfigError(
            f"{where}: a message has a DeduplicateStamp, and there is no Redis for its lock; set "
            "'control: redis://HOST' beside 'transports'"
        )
    from messenger.deduplication.in_redis import RedisLockStore

    return RedisLockStore(control.options, f"{control.prefix}:deduplicate")
