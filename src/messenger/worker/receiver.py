"""A transport as a worker reads it: when it may be asked, and what is done while its server is unavailable."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence

from messenger.envelope import AnyEnvelope
from messenger.errors import TransportError
from messenger.transports.base import Transport, WaitCondition, WakingTransport

log = logging.getLogger(__name__)


class Receiver:
    """A transport as a worker reads it. While its server is unavailable it is not asked, for a growing time.

    Attributes:
        transport: The transport.
        name: Its name.
        unavailable: Why it is unavailable; None while it answers.
        not_before: Monotonic seconds; it is not asked until then.
        asked_at: Monotonic seconds of the last time it was asked.
        weight: Its share when transports are served by weight.
        waking: The transport, if its server notifies of new messages; else None.
    """

    def __init__(self, transport: Transport, weight: int = 1) -> None:
        self.transport = transport
        self.name = transport.name
        self.weight = weight
        self.waking = transport if isinstance(transport, WakingTransport) else None
        self.unavailable: str | None = None
        self.not_before = 0.0
        self.asked_at = time.monotonic()
        self._backoff = Backoff()

    def may_be_asked(self) -> bool:
        """Return True when it is time to ask the transport."""
        return self.not_before <= time.monotonic()

    def take(self, wait: float, stop: Callable[[], bool], limit: int) -> Sequence[AnyEnvelope]:
        """Return up to `limit` messages; none while its server is unavailable. See Transport.get."""
        self.asked_at = time.monotonic()
        try:
            envelopes = self.transport.get(wait, stop, limit)
        except TransportError as error:
            self.back_off(error)
            return ()
        if self.unavailable is not None:
            self.recover()
        return envelopes

    def begin_wait(self, seconds: float, limit: int) -> WaitCondition | None:
        """See WakingTransport; None when its server is unavailable, or does not tell."""
        if self.waking is None:
            return None
        try:
            waiting = self.waking.begin_wait(seconds, limit)
        except TransportError as error:
            self.back_off(error)
            return None
        self.recover()
        return waiting

    def end_wait(self) -> Sequence[AnyEnvelope]:
        """Return what was handed out since `begin_wait`; see WakingTransport."""
        if self.waking is None:
            return ()
        try:
            envelopes = self.waking.end_wait()
        except TransportError as error:
            self.back_off(error)
            return ()
        self.recover()
        return envelopes

    def back_off(self, error: TransportError) -> None:
        """Leave the transport alone for a while after an error."""
        seconds = self._backoff.next()
        self.not_before = time.monotonic() + seconds
        self.unavailable = str(error)
        log.warning("waiting_for %s: next try in %.1f s", error, seconds)

    def recover(self) -> None:
        """Log that the transport answers again, if it was unavailable."""
        if self.unavailable is not None:
            self.unavailable = None
            self._backoff.reset()
            log.info("back transport=%s", self.name)


class Backoff:
    """Growing waits: 0.5 s, doubling to 10 s, each with up to a fifth of jitter, so that a fleet spreads its tries."""

    def __init__(self) -> None:
        self._seconds = 0.5

    def next(self) -> float:
        """Return the seconds to wait this time."""
        seconds = self._seconds
        self._seconds = min(10.0, seconds * 2)
        return seconds * random.uniform(0.8, 1.2)

    def reset(self) -> None:
        """Begin again at the shortest wait."""
        self._seconds = 0.5
