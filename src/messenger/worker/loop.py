"""A turn of the worker's loop: take messages, have them handled and settled, or wait for some."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from messenger.application import Application
from messenger.envelope import AnyEnvelope
from messenger.errors import MessengerError
from messenger.worker.backoff import Backoff
from messenger.worker.options import WorkerOptions
from messenger.worker.order import make_order
from messenger.worker.settle import Settlement, message_type
from messenger.worker.source import Source
from messenger.worker.status import Held, WorkerStatus
from messenger.worker.stop import StopRequest
from messenger.worker.waiting import wait_for_any

log = logging.getLogger(__name__)
_PAUSED_SECONDS = 0.5  # between two looks whether a pause is over


class Loop:
    """Serves the sources of a worker."""

    def __init__(
        self,
        application: Application,
        sources: Sequence[Source],
        settlement: Settlement,
        status: WorkerStatus,
        stop: StopRequest,
        options: WorkerOptions,
    ) -> None:
        self._application = application
        self._sources = sources
        self._settlement = settlement
        self._handovers = settlement.handovers
        self._status = status
        self._stop = stop
        self._options = options
        self._order = make_order(options.order, sources)
        self._taken: list[Held] = []
        self._resources = Backoff()

    def finish(self) -> bool:
        """Call the batch handlers with what they have, and settle what waits for it. False when something is left."""
        self._application.batches.flush(force=True)
        all_settled = self._handovers.finish()
        if self._options.reset:
            self._application.reset()
        return all_settled

    def hand_back(self) -> None:
        """What was taken and not begun is free again at once; the beat has ended, so its connections may be used."""
        for held in self._taken:
            try:
                held.transport.hand_back(held.envelope)
            except MessengerError as error:
                log.warning("not_handed_back transport=%s id=%s: %s", held.transport.name, held.id, error)

    def turn(self) -> bool:
        """Take and handle messages of the first transport that has some. False when none had."""
        self._handovers.try_due()
        if self._application.batches.flush():
            self._after_messages()
        if self._status.pause is not None:
            self._status.enter("paused", str(self._status.pause))
            self._stop.pause(min(_PAUSED_SECONDS, self._seconds_to_wait(self._sources)))
            return False
        ready = [source for source in self._order.next() if self._may_take(source)]
        for source in ready:
            envelopes = source.take(0.0, self._stop.is_requested, self._room())
            if envelopes:
                self._handle_all([(source, envelope) for envelope in envelopes])
                return True
            if self._stop.requested:
                return False
        self._set_idle()
        ready = [source for source in ready if source.may_be_asked()]  # a server is away, or there is no token
        seconds = self._seconds_to_wait(ready)
        if not ready:
            self._stop.pause(seconds)
            return False
        taken = wait_for_any(ready, seconds, self._stop, self._room())
        self._handle_all(taken)
        return bool(taken)

    def _may_take(self, source: Source) -> bool:
        return source.may_be_asked() and not self._handovers.is_open(source.name)

    def _room(self) -> int:
        """How many messages may be taken at once: not more than --limit leaves."""
        limit = self._options.limits.messages
        left = self._options.fetch_size if limit is None else limit - self._status.taken
        return max(1, min(self._options.fetch_size, left))

    def _seconds_to_wait(self, ready: Sequence[Source]) -> float:
        """Until something is to be done besides taking what comes, `sleep` at most."""
        moments = [max(s.not_before, self._handovers.next_try(s.name)) for s in self._sources if s not in ready]
        due = self._application.batches.next_due
        if due is not None:
            moments.append(due)
        return min([self._options.sleep, *(max(moment - time.monotonic(), 0.0) for moment in moments)])

    def _set_idle(self) -> None:
        """No handler runs: idle, or waiting for a server that is away."""
        away = next((source.away for source in self._sources if source.away is not None), None)
        waiting_for = self._handovers.waiting_for or away
        self._status.enter("idle" if waiting_for is None else "waiting", waiting_for)

    def _handle_all(self, taken: Sequence[tuple[Source, AnyEnvelope]]) -> None:
        self._taken = [self._take_up(source, envelope) for source, envelope in taken]
        while self._taken and not self._stop.requested:
            held = self._taken.pop(0)
            self._status.current = held
            self._status.enter("busy")
            self._settlement.handle(held)
            self._application.batches.flush()
            self._status.current = None
            self._set_idle()
            self._after_messages()
        for source in {id(source): source for source, _ in taken}.values():
            self._order.served(source)

    def _take_up(self, source: Source, envelope: AnyEnvelope) -> Held:
        held = Held(source.transport, envelope, envelope.id or "-", message_type(envelope), time.monotonic())
        self._status.take_up(held)
        return held

    def _after_messages(self) -> None:
        """Make whole what handlers share; while that fails, or right after they missed something, wait (R61)."""
        trouble, self._settlement.trouble = self._settlement.trouble, None
        failed = self._application.reset() if self._options.reset else None
        if trouble is None and failed is None:
            self._resources.reset()
        while (error := trouble or failed) is not None and not self._stop.requested:
            self._status.pause_for(error, self._resources.next(), self._stop)
            trouble, failed = None, self._application.reset() if self._options.reset else None
        self._set_idle()
