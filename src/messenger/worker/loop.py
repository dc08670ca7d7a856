"""A turn of the worker's loop: take messages, have them handled and settled, or wait for some."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextvars import copy_context
from dataclasses import dataclass

from messenger.application import Application
from messenger.envelope import AnyEnvelope
from messenger.worker.options import WorkerOptions
from messenger.worker.order import make_order
from messenger.worker.reset import reset_every
from messenger.worker.settle import Settlement, message_type
from messenger.worker.source import Backoff, Source
from messenger.worker.status import Held, WorkerStatus
from messenger.worker.stop import StopRequest
from messenger.worker.waiting import wait_for_any

_PAUSED_SECONDS = 0.5  # between two looks whether a pause is over


@dataclass
class Loop:
    """Serves the sources of a worker."""

    application: Application
    sources: Sequence[Source]
    settlement: Settlement
    status: WorkerStatus
    stop: StopRequest
    options: WorkerOptions

    def __post_init__(self) -> None:
        self._handovers = self.settlement.handovers
        self._order = make_order(self.options.order, self.sources)
        self._resources = Backoff()
        self._reset = reset_every(self.options.reset_every, self.application.reset)

    def finish(self) -> bool:
        """Call the batch handlers with what they have, and settle what waits for it. False when something is left."""
        self.application.batches.flush(force=True)
        self.application.finish_tasks()
        all_settled = self._handovers.finish()
        self._reset()
        return all_settled

    def turn(self) -> bool:
        """Take and handle messages of the first transport that has some. False when none had."""
        self._handovers.try_due()
        if self.application.batches.flush():
            self._after_messages()
        if self.status.pause is not None:
            self.status.enter("paused", str(self.status.pause))
            self.stop.pause(min(_PAUSED_SECONDS, self._seconds_to_wait(self.sources)))
            return False
        ready = [s for s in self._order.next() if s.may_be_asked() and not self._handovers.is_open(s.name)]
        for source in ready:
            envelopes = source.take(0.0, self.stop.is_requested, self._room())
            if envelopes:
                self._handle_all([(source, envelope) for envelope in envelopes])
                return True
            if self.stop.is_requested():
                return False
        self._set_idle()
        ready = [source for source in ready if source.may_be_asked()]  # a server is away, or there is no token
        taken = wait_for_any(ready, self._seconds_to_wait(ready), self.stop, self._room())
        self._handle_all(taken)
        return bool(taken)

    def _room(self) -> int:
        """How many messages may be taken at once: not more than --limit leaves."""
        limit = self.options.limits.messages
        left = self.options.fetch_size if limit is None else limit - self.status.taken
        return max(1, min(self.options.fetch_size, left))

    def _seconds_to_wait(self, ready: Sequence[Source]) -> float:
        """Until something is to be done besides taking what comes, `sleep` at most."""
        moments = [max(s.not_before, self._handovers.next_try(s.name)) for s in self.sources if s not in ready]
        moments.append(self.application.batches.next_due)
        return min(self.options.sleep, max(min(moments) - time.monotonic(), 0.0))

    def _set_idle(self) -> None:
        """No handler runs: idle, or waiting for a server that is away."""
        away = next((source.away for source in self.sources if source.away is not None), None)
        waiting_for = self._handovers.waiting_for or away
        self.status.enter("idle" if waiting_for is None else "waiting", waiting_for)

    def _handle_all(self, taken: Sequence[tuple[Source, AnyEnvelope]]) -> None:
        self.status.fetched = tuple(self._take_up(source, envelope) for source, envelope in taken)
        while self.status.fetched and not self.stop.is_requested():
            held, *rest = self.status.fetched
            self.status.fetched = tuple(rest)
            self.status.current = held
            self.status.enter("busy")
            copy_context().run(self.settlement.handle, held)
            self.application.batches.flush()
            self.status.current = None
            self._set_idle()
            self._after_messages()
        for source in {id(source): source for source, _ in taken}.values():
            self._order.served(source)

    def _take_up(self, source: Source, envelope: AnyEnvelope) -> Held:
        held = Held(source.transport, envelope, envelope.id or "-", message_type(envelope), time.monotonic())
        self.status.held = (*self.status.held, held)
        return held

    def _after_messages(self) -> None:
        """Make whole what handlers share; while that fails, or right after they missed something, wait."""
        trouble, self.settlement.trouble = self.settlement.trouble, None
        error = self._reset() if trouble is None else trouble
        if error is None:
            self._resources.reset()
        while error is not None and not self.stop.is_requested():
            self.status.pause_for(error, self._resources.next(), self.stop)
            error = self._reset()
        self._set_idle()
