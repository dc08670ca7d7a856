"""Waiting for a message on several transports at once, and for a request to stop."""

from __future__ import annotations

import time
from collections.abc import Sequence

from messenger.envelope import AnyEnvelope
from messenger.polling import readable
from messenger.worker.source import Source
from messenger.worker.stop import StopRequest

_POLL_SECONDS = 0.1
Taken = tuple[Source, AnyEnvelope]


def wait_for_any(sources: Sequence[Source], seconds: float, stop: StopRequest, limit: int) -> list[Taken]:
    """Wait until one of them has a message, `seconds` are over, or a stop is requested; wakes at once for each.

    A transport that cannot wake anybody is asked ten times a second; when it is the only one, it waits itself.

    limit: how many messages to take from one source.
    """
    if len(sources) == 1 and sources[0].waking is None:
        return _taken(sources[0], sources[0].take(seconds, stop.is_requested, limit))
    begun = {source: waiting for source in sources if (waiting := source.begin_wait(seconds, limit)) is not None}
    fds = [stop.fd, *(fd for waiting in begun.values() for fd in waiting.fds)]
    deadline = time.monotonic() + min([seconds, *(waiting.seconds for waiting in begun.values())])
    try:
        taken = _wait(fds, [source for source in sources if source.waking is None], deadline, stop, limit)
    finally:
        handed_out = [each for source in begun for each in _taken(source, source.end_wait())]
    return taken + handed_out


def _wait(fds: Sequence[int], polled: Sequence[Source], deadline: float, stop: StopRequest, limit: int) -> list[Taken]:
    while (left := deadline - time.monotonic()) > 0 and not readable(fds, min(left, _POLL_SECONDS) if polled else left):
        for source in polled:
            if source.may_be_asked() and (envelopes := source.take(0.0, stop.is_requested, limit)):
                return _taken(source, envelopes)
    return []


def _taken(source: Source, envelopes: Sequence[AnyEnvelope]) -> list[Taken]:
    return [(source, envelope) for envelope in envelopes]
