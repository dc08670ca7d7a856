"""How often a worker calls the application's reset hooks."""

from __future__ import annotations

from collections.abc import Callable

Reset = Callable[[], Exception | None]


def reset_every(messages: int, reset: Reset) -> Reset:
    """Return what a worker calls after each message.

    Args:
        messages: Call the hooks after so many messages; 0: never.
        reset: Calls the hooks, and returns the first error.
    """
    if messages == 1:
        return reset
    if messages == 0:
        return lambda: None
    since = 0

    def reset_sometimes() -> Exception | None:
        nonlocal since
        since += 1
        if since < messages:
            return None
        error = reset()
        if error is None:
            since = 0
        return error

    return reset_sometimes
