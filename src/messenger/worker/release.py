"""Release of messages in flight, so that another worker takes them at once."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from messenger.errors import MessengerError
from messenger.worker.status import InFlightMessage, WorkerStatus

log = logging.getLogger(__name__)


def release(status: WorkerStatus, messages: Iterable[InFlightMessage]) -> None:
    """Release messages. One whose handlers were called is logged: it runs again, and this delivery counts."""
    for message in messages:
        begun = message not in status.fetched
        try:
            message.transport.hand_back(message.envelope, begun=begun)
        except MessengerError as error:
            log.warning("not_handed_back transport=%s id=%s: %s", message.transport.name, message.id, error)
            continue
        if begun:
            what = (message.transport.name, message.id, message.type)
            why = "it runs again, which counts as another delivery"
            log.warning("message_cut_off transport=%s id=%s type=%s: %s", *what, why)
