"""How long handlers may take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from messenger.application import Application
from messenger.handling.registry import ANY_MESSAGE, Handler


def longest_message(application: Application, transports: Sequence[str]) -> float | None:
    """Seconds that the slowest message of these transports may take by the timeouts of its handlers, which run one
    after the other. None: a handler of some message has no timeout, or no message is known to come here.
    """
    wanted = set(transports) | {name for name, target in application.failure_transports.items() if target in transports}
    longest = 0.0
    for cls in application.messages.classes:
        sources = set(application.router.for_class(cls)) & wanted
        if not sources:
            continue
        timeouts = [handler_timeout(application, item) for item in _handlers(application, cls, sources)]
        if None in timeouts:
            return None
        longest = max(longest, sum(seconds or 0.0 for seconds in timeouts))
    return longest or None


def handler_timeout(application: Application, item: Handler) -> float | None:
    """Seconds a handler may run: its own `timeout`, else `handler_timeout` of messenger.yaml."""
    own = item.options.timeout
    return own if own is not None else application.config.handler_timeout


def _handlers(application: Application, cls: type, transports: Iterable[str]) -> list[Handler]:
    return [
        item
        for item in application.handlers.handlers
        if any(handled == ANY_MESSAGE or handled in cls.__mro__ for handled in item.options.handles)
        and item.options.from_transport in (None, *transports)
    ]
