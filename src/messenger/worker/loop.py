"""The worker's loop: take messages and process them, or wait for some."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextvars import copy_context
from dataclasses import dataclass

from messenger.application import Application
from messenger.worker.options import WorkerOptions
from messenger.worker.processing import MessageProcessor
from messenger.worker.receiver import Backoff, Receiver
from messenger.worker.scheduling import make_policy
from messenger.worker.status import InFlightMessage, WorkerStatus
from messenger.worker.stop import StopRequest
from messenger.worker.waiting import Taken, wait_for_any

_PAUSED_SECONDS = 0.5  # between two looks whether a pause is over
_LAST_TRIES_SECONDS = 5.0
_LAST_PAUSE_SECONDS = 0.2


@dataclass
class Loop:
    """Serves the receivers of a worker."""

    application: Application
    receivers: Sequence[Receiver]
    processor: MessageProcessor
    status: WorkerStatus
    stop: StopRequest
    options: WorkerOptions

    def __post_init__(self) -> None:
        self._pending = self.processor.pending
        self._batches = self.application.batches
        self._policy = make_policy(self.options.order, self.receivers)
        self._resources = Backoff()
        self._since_reset = 0

    def run_once(self) -> bool:
        """Take and process messages of the first transport that has some. Return False when none had."""
        if self._pending.items:
            self.processor.settle_pending()
        if self._batches.buffers and self._batches.flush():
            self._after_message()
        if self.status.pause is not None:
            self.status.enter("paused", str(self.status.pause))
            self.stop.pause(min(_PAUSED_SECONDS, self._seconds_to_wait(self.receivers)))
            return False
        for receiver in self._policy.receivers:
            if not self._may_take_from(receiver):
                continue
            envelopes = receiver.take(0.0, self.stop.is_requested, self._room())
            if envelopes:
                self._process([(receiver, envelopes)])
                return True
            if self.stop.is_requested():
                return False
        return self._wait()

    def _may_take_from(self, receiver: Receiver) -> bool:
        return receiver.may_be_asked() and not (self._pending.items and self._pending.has(receiver.name))

    def _wait(self) -> bool:
        """Wait for messages and process them. Return False when none came."""
        self._enter_idle()
        ready = [each for each in self._policy.receivers if self._may_take_from(each)]
        taken = wait_for_any(ready, self._seconds_to_wait(ready), self.stop, self._room())
        self._process(taken)
        return bool(taken)

    def _room(self) -> int:
        """Return how many messages may be taken at once: not more than --limit leaves."""
        limit = self.options.limits.messages
        if limit is None:
            return self.options.fetch_size
        return max(1, min(self.options.fetch_size, limit - self.status.taken))

    def _seconds_to_wait(self, ready: Sequence[Receiver]) -> float:
        """Return the seconds until something is to be done besides taking what comes, `sleep` at most."""
        moments = [
            max(each.not_before, self._pending.next_try(each.name)) for each in self.receivers if each not in ready
        ]
        moments.append(self._batches.next_due)
        return min(self.options.sleep, max(min(moments) - time.monotonic(), 0.0))

    def _enter_idle(self) -> None:
        """Show that no handler runs: idle, or waiting for a server that is unavailable."""
        waiting_for = self._pending.waiting_for if self._pending.items else None
        for receiver in self.receivers:
            if waiting_for is None:
                waiting_for = receiver.unavailable
        self.status.enter("idle" if waiting_for is None else "waiting", waiting_for)

    def _process(self, taken: Sequence[Taken]) -> None:
        """Process messages one by one. A stop request leaves those that were not begun."""
        for receiver, envelopes in taken:
            for envelope in envelopes:
                self.status.fetch(InFlightMessage.of(receiver.transport, envelope))
        while self.status.fetched and self.stop.reason is None:
            message = self.status.begin()
            copy_context().run(self.processor.process, message)
            if self._batches.buffers:
                self._batches.flush()
            self.status.current = None
            self._enter_idle()
            self._after_message()
        if len(self.receivers) > 1:
            for receiver, _ in taken:
                self._policy.record_served(receiver)

    def _after_message(self) -> None:
        """Run the reset hooks. If they fail, or a handler met an infrastructure error, back off until they succeed."""
        trouble, self.processor.trouble = self.processor.trouble, None
        error = self._reset() if trouble is None else trouble
        if error is None:
            self._resources.reset()
            return
        while error is not None and not self.stop.is_requested():
            self.status.pause_for(error, self._resources.next(), self.stop)
            error = self._reset()
        self._enter_idle()

    def _reset(self) -> Exception | None:
        """Run the reset hooks once every `reset_every` messages. Return the first error."""
        self._since_reset += 1
        if not self.application.reset_hooks or not 0 < self.options.reset_every <= self._since_reset:
            return None
        error = self.application.reset()
        if error is None:
            self._since_reset = 0
        return error

    def finish(self) -> bool:
        """Call the batch handlers with what they have, and settle what is pending. Return False when something is left.

        What is left stays in flight, and is handed out again once its lease has run out.
        """
        self._batches.flush(force=True)
        self.application.finish_tasks()
        deadline = time.monotonic() + _LAST_TRIES_SECONDS
        while self._pending.items and time.monotonic() < deadline:
            self.processor.settle_pending(at_once=True)
            if self._pending.items:
                time.sleep(_LAST_PAUSE_SECONDS)
        self._pending.log_left()
        self._reset()
        return not self._pending.items
