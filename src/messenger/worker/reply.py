"""Replies to `messenger dispatch --wait`: how a message ended."""

from __future__ import annotations

import logging

from messenger.control.plane import Control, Reply
from messenger.envelope import AnyEnvelope
from messenger.errors import MessengerError
from messenger.events import EventDispatcher, WorkerMessageFailed, WorkerMessageHandled
from messenger.printable import text_of
from messenger.wire.extension_headers import ReplyStamp

log = logging.getLogger(__name__)
_LONGEST_ERROR = 2_000  # characters


class Replies:
    """Listens to a worker and replies to messages that have a ReplyStamp."""

    def __init__(self, control: Control, worker_id: str) -> None:
        self._control = control
        self._worker_id = worker_id

    def listen(self, events: EventDispatcher) -> None:
        """Subscribe to the events of a worker."""
        events.listen(WorkerMessageHandled, self._on_handled, only_with=ReplyStamp)
        events.listen(WorkerMessageFailed, self._on_failed, only_with=ReplyStamp)

    def _on_handled(self, event: WorkerMessageHandled) -> None:
        self._send(event.envelope, Reply("handled", self._worker_id, round(event.milliseconds, 1)))

    def _on_failed(self, event: WorkerMessageFailed) -> None:
        if not event.will_retry:
            self._send(event.envelope, Reply("failed", self._worker_id, 0.0, text_of(event.error)[:_LONGEST_ERROR]))

    def _send(self, envelope: AnyEnvelope, reply: Reply) -> None:
        stamp = envelope.last(ReplyStamp)
        if stamp is None:
            return
        try:
            self._control.reply(stamp.token, reply)
        except MessengerError as error:
            log.warning("no_reply: %s", error)
