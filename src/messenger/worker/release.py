"""Giving messages back before they are handled, so that another worker takes them at once."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from messenger.errors import MessengerError
from messenger.worker.status import Held, WorkerStatus

log = logging.getLogger(__name__)


def release(status: WorkerStatus, messages: Iterable[Held]) -> None:
    """Hand messages back. One whose handlers were called is named: it runs again, and this delivery counts."""
    for held in messages:
        begun = held not in status.fetched
        try:
            held.transport.hand_back(held.envelope, begun=begun)
        except MessengerError as error:
            log.warning("not_handed_back transport=%s id=%s: %s", held.transport.name, held.id, error)
            continue
        if begun:
            log.warning("message_cut_off transport=%s id=%s type=%s: it runs again, which counts as another delivery",
                        held.transport.name, held.id, held.type)  # fmt: skip
