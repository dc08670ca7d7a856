"""Settling messages while a store is away: kept in hand, tried again, and in nobody's way.

A message whose handlers are done is acknowledged, retried or put aside. When the store that must confirm this does not
answer, the message stays pending and its lease is renewed; meanwhile the worker goes on with its other transports, and
takes nothing more from this one, so that no more than what it has in hand is kept.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from messenger.errors import TransportError
from messenger.worker.source import Backoff
from messenger.worker.status import Held, WorkerStatus

T = TypeVar("T")
log = logging.getLogger(__name__)
_LAST_TRIES_SECONDS = 5.0
_LAST_PAUSE_SECONDS = 0.2


@dataclass(slots=True, eq=False)
class _Open:
    held: Held
    action: Callable[[], Any]
    then: Callable[[Any], None]
    error: str = ""
    next_try: float = 0.0
    backoff: Backoff = field(default_factory=Backoff)


class Handovers:
    """The messages in hand whose settlement was not confirmed yet."""

    def __init__(self, status: WorkerStatus) -> None:
        self._status = status
        self._open: list[_Open] = []

    def settle(self, held: Held, action: Callable[[], T], then: Callable[[T], None]) -> None:
        """Do `action`, and `then` with what it returned once it was confirmed; when a store is away, later.

        action: the hand-over; raises TransportError with nothing changed.
        """
        self._try(_Open(held, action, then))

    def try_due(self) -> None:
        """Try those again whose wait is over."""
        for item in list(self._open):
            if item.next_try <= time.monotonic():
                self._try(item)

    def is_open(self, transport: str) -> bool:
        """Whether a message of this transport is still in hand."""
        return any(item.held.transport.name == transport for item in self._open)

    @property
    def waiting_for(self) -> str | None:
        """What the oldest of them waits for."""
        return next((item.error for item in self._open), None)

    def next_try(self, transport: str) -> float:
        """Monotonic seconds at which a message of this transport is tried again; 0 when it has none."""
        return min((item.next_try for item in self._open if item.held.transport.name == transport), default=0.0)

    def finish(self) -> bool:
        """The last tries of a worker that stops. False when something is left: it stays pending, and is handed out
        again once its lease has run out.
        """
        deadline = time.monotonic() + _LAST_TRIES_SECONDS
        while self._open and time.monotonic() < deadline:
            for item in list(self._open):
                self._try(item)
            if self._open:
                time.sleep(_LAST_PAUSE_SECONDS)
        for item in self._open:
            log.error("left_pending transport=%s id=%s: %s", item.held.transport.name, item.held.id, item.error)
        return not self._open

    def _try(self, item: _Open) -> None:
        name = item.held.transport.name
        try:
            done = item.action()
        except TransportError as error:
            seconds = item.backoff.next()
            if str(error) != item.error:
                log.warning("not_settled transport=%s id=%s: %s: trying again", name, item.held.id, error)
            item.error = str(error)
            item.next_try = time.monotonic() + seconds
            if item not in self._open:
                self._open.append(item)
            return
        if item in self._open:
            self._open.remove(item)
            log.info("settled_late transport=%s id=%s", name, item.held.id)
        self._status.put_down(item.held)
        item.then(done)
