"""Waiting for a message on several transports at once, and for a request to stop."""

from __future__ import annotations

import time
from collections.abc import Sequence

from messenger.envelope import AnyEnvelope
from messenger.polling import readable
from messenger.worker.receiver import Receiver
from messenger.worker.stop import StopRequest

_POLL_SECONDS = 0.1
Taken = tuple[Receiver, Sequence[AnyEnvelope]]
"""A receiver and the messages that it gave, at least one."""


def wait_for_any(receivers: Sequence[Receiver], seconds: float, stop: StopRequest, limit: int) -> list[Taken]:
    """Wait until a transport has a message, the time is over, or a stop is requested.

    A transport whose server does not notify is asked ten times a second; when it is the only one, it waits itself.

    Args:
        receivers: The receivers to wait for.
        seconds: The longest time to wait.
        stop: The worker's stop request.
        limit: The largest number of messages to take from one receiver.

    Returns:
        The receivers that had messages, with these.
    """
    if len(receivers) == 1 and receivers[0].waking is None:
        envelopes = receivers[0].take(seconds, stop.is_requested, limit)
        return [(receivers[0], envelopes)] if envelopes else []
    begun = {each: waiting for each in receivers if (waiting := each.begin_wait(seconds, limit)) is not None}
    fds = [stop.fd, *(fd for waiting in begun.values() for fd in waiting.fds)]
    deadline = time.monotonic() + min([seconds, *(waiting.seconds for waiting in begun.values())])
    try:
        taken = _wait(fds, [receiver for receiver in receivers if receiver.waking is None], deadline, stop, limit)
    finally:
        handed_out = [(each, envelopes) for each in begun if (envelopes := each.end_wait())]
    return taken + handed_out


def _wait(
    fds: Sequence[int], polled: Sequence[Receiver], deadline: float, stop: StopRequest, limit: int
) -> list[Taken]:
    while (left := deadline - time.monotonic()) > 0 and not readable(fds, min(left, _POLL_SECONDS) if polled else left):
        for receiver in polled:
            if receiver.may_be_asked() and (envelopes := receiver.take(0.0, stop.is_requested, limit)):
                return [(receiver, envelopes)]
    return []
