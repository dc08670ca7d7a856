"""What the log says of a message."""

from __future__ import annotations

import logging

from messenger.envelope import AnyEnvelope
from messenger.failure import Outcome
from messenger.printable import printable_line
from messenger.stamps import DeliveryStamp
from messenger.wire.ids import MessageIdsStamp
from messenger.worker.status import Held

log = logging.getLogger(__name__)
_LONGEST_ERROR = 4_000  # characters


def about(envelope: AnyEnvelope) -> str:
    """For the log: the message's own id, and how often it was handed out when it may have run before."""
    ids = envelope.last(MessageIdsStamp)
    text = f" message_id={ids.message_id}" if ids is not None else ""
    stamp = envelope.last(DeliveryStamp)
    return text + (f" delivery={stamp.count}" if stamp is not None and stamp.count > 1 else "")


def log_failure(held: Held, error: Exception, outcome: Outcome) -> None:
    """Say what became of a message that failed."""
    why = printable_line(error, _LONGEST_ERROR)
    what = f"transport={held.transport.name} id={held.id} type={held.type}{about(held.envelope)}"
    if not outcome.is_attempt:
        log.warning("message_put_back %s: something its handler needs is away: %s", what, why)
    elif outcome.will_retry:
        log.warning("message_retried %s delay_ms=%d: %s", what, outcome.delay, why)
    elif outcome.failure_transport is not None:
        log.error("message_failed %s kept_in=%s: %s", what, outcome.failure_transport, why, exc_info=error)
    else:
        log.critical("message_discarded %s (failure_transport is null): %s", what, why, exc_info=error)
