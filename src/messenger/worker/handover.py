"""Settling messages while a store is away: kept in hand, tried again, and in nobody's way (R30).

A message whose handlers are done is acknowledged, retried or put aside. When the store that must confirm this does not
answer, the message stays pending and its lease is renewed; meanwhile the worker goes on with its other transports, and
takes nothing more from this one, so that at most one message a transport is kept.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from messenger.errors import TransportError
from messenger.worker.backoff import Backoff
from messenger.worker.status import Held, WorkerStatus

log = logging.getLogger(__name__)
_LAST_TRIES_SECONDS = 5.0
_LAST_PAUSE_SECONDS = 0.2


@dataclass(slots=True)
class _Open:
    held: Held
    action: Callable[[], None]
    then: Callable[[], None]
    error: str = ""
    next_try: float = 0.0
    backoff: Backoff = field(default_factory=Backoff)


class Handovers:
    """The messages in hand that are not settled yet, at most one a transport."""

    def __init__(self, status: WorkerStatus) -> None:
        self._status = status
        self._open: dict[str, _Open] = {}

    def settle(self, held: Held, action: Callable[[], None], then: Callable[[], None]) -> None:
        """Do `action`, and `then` once it was confirmed; when a store is away, later.

        action: the hand-over; raises TransportError with nothing changed.
        """
        self._try(_Open(held, action, then))

    def try_due(self) -> None:
        """Try those again whose wait is over."""
        for item in list(self._open.values()):
            if item.next_try <= time.monotonic():
                self._try(item)

    def is_open(self, transport: str) -> bool:
        """Whether a message of this transport is still in hand."""
        return transport in self._open

    @property
    def waiting_for(self) -> str | None:
        """What the oldest of them waits for."""
        return next((item.error for item in self._open.values()), None)

    def next_try(self, transport: str) -> float:
        """Monotonic seconds at which this transport's message is tried again; 0 when it has none."""
        item = self._open.get(transport)
        return item.next_try if item is not None else 0.0

    def finish(self) -> bool:
        """The last tries of a worker that stops. False when something is left: it stays pending, and is handed out
        again once its lease has run out.
        """
        deadline = time.monotonic() + _LAST_TRIES_SECONDS
        while self._open and time.monotonic() < deadline:
            for item in list(self._open.values()):
                self._try(item)
            if self._open:
                time.sleep(_LAST_PAUSE_SECONDS)
        for item in self._open.values():
            log.error("left_pending transport=%s id=%s: %s", item.held.transport.name, item.held.id, item.error)
        return not self._open

    def _try(self, item: _Open) -> None:
        name = item.held.transport.name
        try:
            item.action()
        except TransportError as error:
            seconds = item.backoff.next()
            if str(error) != item.error:
                log.warning("not_settled transport=%s id=%s: %s: trying again", name, item.held.id, error)
            item.error = str(error)
            item.next_try = time.monotonic() + seconds
            self._open[name] = item
            return
        if self._open.pop(name, None) is not None:
            log.info("settled_late transport=%s id=%s", name, item.held.id)
        self._status.put_down(item.held)
        item.then()
