"""One transport as a worker consumes it: when it may be asked, and what is done when its server is away."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from messenger.envelope import AnyEnvelope
from messenger.errors import TransportError
from messenger.transports.base import Transport, Waiting, WakingTransport

log = logging.getLogger(__name__)
T = TypeVar("T")


class Source:
    """A transport that is asked for messages. While its server is away it is left alone for a growing time.

    away: what is wrong with it, None while it answers.
    not_before: monotonic seconds; it is not asked until then.
    asked_at: monotonic seconds of the last time it was asked.
    weight: its share when transports are served by weight.
    waking: the transport, if its server tells when a message comes.
    """

    def __init__(self, transport: Transport, weight: int = 1) -> None:
        self.transport = transport
        self.name = transport.name
        self.weight = weight
        self.waking = transport if isinstance(transport, WakingTransport) else None
        self.away: str | None = None
        self.not_before = 0.0
        self.asked_at = time.monotonic()
        self._backoff = Backoff()

    def may_be_asked(self) -> bool:
        """Whether it is time to."""
        return self.not_before <= time.monotonic()

    def take(self, wait: float, stop: Callable[[], bool], limit: int) -> Sequence[AnyEnvelope]:
        """Up to `limit` messages; none while its server is away. See Transport.get."""
        self.asked_at = time.monotonic()
        return self._guarded(lambda: self.transport.get(wait, stop, limit)) or ()

    def begin_wait(self, seconds: float, limit: int) -> Waiting | None:
        """See WakingTransport; None when its server is away, or does not tell."""
        waking = self.waking
        return self._guarded(lambda: waking.begin_wait(seconds, limit)) if waking is not None else None

    def end_wait(self) -> Sequence[AnyEnvelope]:
        """What was handed out since `begin_wait`; see WakingTransport."""
        return (self._guarded(self.waking.end_wait) if self.waking is not None else None) or ()

    def _guarded(self, ask: Callable[[], T]) -> T | None:
        try:
            answer = ask()
        except TransportError as error:
            seconds = self._backoff.next()
            self.not_before = time.monotonic() + seconds
            self.away = str(error)
            log.warning("waiting_for %s: next try in %.1f s", error, seconds)
            return None
        if self.away is not None:
            self.away = None
            self._backoff.reset()
            log.info("back transport=%s", self.name)
        return answer


class Backoff:
    """0.5 s, doubling to 10 s, each with up to a fifth of jitter so that a fleet does not come back as one."""

    def __init__(self) -> None:
        self._seconds = 0.5

    def next(self) -> float:
        """Seconds to wait this time."""
        seconds = self._seconds
        self._seconds = min(10.0, seconds * 2)
        return seconds * random.uniform(0.8, 1.2)

    def reset(self) -> None:
        """It answered: begin again at the shortest wait."""
        self._seconds = 0.5
