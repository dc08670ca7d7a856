"""Waiting for a message on several transports at once, and for a request to stop (R18)."""

from __future__ import annotations

import time
from collections.abc import Sequence

from messenger.envelope import AnyEnvelope
from messenger.readable import readable
from messenger.worker.source import Source
from messenger.worker.stop import StopRequest

_POLL_SECONDS = 0.1
Taken = tuple[Source, AnyEnvelope]


def wait_for_any(sources: Sequence[Source], seconds: float, stop: StopRequest, limit: int) -> list[Taken]:
    """Wait until one of them has a message, `seconds` are over, or a stop is requested; wakes at once for each.

    A transport that cannot wake anybody is asked ten times a second; when it is the only one, it waits itself.

    limit: how many messages to take from one source.
    """
    if len(sources) == 1 and not sources[0].can_wake:
        return [(sources[0], envelope) for envelope in sources[0].take(seconds, stop.is_requested, limit)]
    polled = [source for source in sources if not source.can_wake]
    begun: list[Source] = []
    fds = [stop.fd]
    deadline = time.monotonic() + seconds
    taken: list[Taken] = []
    try:
        for source in sources:
            waiting = source.begin_wait(seconds, limit) if source.can_wake else None
            if waiting is not None:
                begun.append(source)
                fds.append(waiting.fd)
                deadline = min(deadline, time.monotonic() + waiting.seconds)
        taken = _wait(fds, polled, deadline, stop, limit)
    finally:
        for source in begun:
            taken += [(source, envelope) for envelope in source.end_wait()]
    return taken


def _wait(fds: list[int], polled: Sequence[Source], deadline: float, stop: StopRequest, limit: int) -> list[Taken]:
    while not stop.requested:
        left = max(0.0, deadline - time.monotonic())
        if readable(fds, min(left, _POLL_SECONDS) if polled else left):
            break
        for source in polled:
            if source.may_be_asked():
                envelopes = source.take(0.0, stop.is_requested, limit)
                if envelopes:
                    return [(source, envelope) for envelope in envelopes]
        if time.monotonic() >= deadline:
            break
    return []
