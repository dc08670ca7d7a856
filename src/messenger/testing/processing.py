"""Handling of in-memory messages as by a worker, in this process."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial

from messenger.application import Application
from messenger.envelope import AnyEnvelope
from messenger.errors import causes
from messenger.events import WorkerMessageFailed, WorkerMessageHandled, WorkerMessageReceived
from messenger.failure.handling import FailureOutcome
from messenger.testing.describe import describe
from messenger.transports.base import Transport
from messenger.worker.processing import run_handlers, stop_asked_for
from messenger.worker.status import InFlightMessage

log = logging.getLogger(__name__)
_ENDLESS = 10_000


@dataclass(frozen=True, slots=True)
class Failure:
    """A message that failed.

    Attributes:
        transport: Name of the transport.
        envelope: The message.
        error: What was raised.
        outcome: What happened to the message.
    """

    transport: str
    envelope: AnyEnvelope
    error: Exception
    outcome: FailureOutcome

    @property
    def cause(self) -> Exception:
        """What the (first) handler raised."""
        return causes(self.error)[0]

    def __str__(self) -> str:
        kept_in = self.outcome.failure_transport
        fate = f"retry in {self.outcome.delay} ms" if self.outcome.will_retry else f"kept in {kept_in}"
        if not self.outcome.will_retry and kept_in is None:
            fate = "discarded: failure_transport is null"
        cause = self.cause
        return f"{self.transport}: {describe(self.envelope)} failed ({fate}): {type(cause).__name__}: {cause}"


class Processing:
    """Takes, handles and settles messages with the functions of the worker."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._failures = application.failure_handling()
        self._settled: list[Failure] = []

    def run(self, names: Sequence[str], count: int | None, on_failure: Callable[[Failure], None]) -> int:
        """Handle due messages; earlier transports first.

        Batch handlers are called when a batch is full, and at the end. A handler that raises StopWorker ends the run
        after its message.

        Args:
            names: Names of the transports.
            count: The largest number of messages; None handles all.
            on_failure: Called for each message that failed.

        Returns:
            The number of messages.

        Raises:
            AssertionError: Messages are still due after a very large number of them.
        """
        done = 0
        while count is None or done < count:
            taken = self._take(names)
            if taken is None:
                if self._application.batches.flush(force=True) and not self._tell(on_failure):
                    continue  # a batch handler may have dispatched more
                break
            done += 1
            copy_context().run(self._handle, *taken)
            self._application.batches.flush()
            if self._tell(on_failure):
                break
            if count is None and done >= _ENDLESS:
                raise AssertionError(
                    f"{done} messages were handled and more are due: does a handler dispatch its own message again?\n"
                    f"the last one: {describe(taken[1])}"
                )
        self._application.batches.flush(force=True)
        self._tell(on_failure)
        return done

    def _tell(self, on_failure: Callable[[Failure], None]) -> bool:
        """Report the failures, and return True when a handler asked to stop."""
        failures, self._settled = self._settled, []
        for failure in failures:
            log.warning("message_failed %s", failure, exc_info=failure.cause)
            on_failure(failure)
        return any(stop_asked_for(failure.error) is not None for failure in failures)

    def _take(self, names: Sequence[str]) -> tuple[Transport, AnyEnvelope] | None:
        for transport in map(self._application.transport, names):
            for envelope in transport.get(0.0, lambda: False):
                return transport, envelope
        return None

    def _handle(self, transport: Transport, envelope: AnyEnvelope) -> None:
        message = InFlightMessage.of(transport, envelope)
        self._application.events.dispatch(WorkerMessageReceived(envelope, transport.name))
        message.began = time.monotonic()
        is_done, error = run_handlers(self._application, message, partial(self._settle, message))
        if is_done:
            self._settle(message, error)

    def _settle(self, message: InFlightMessage, error: Exception | None) -> None:
        transport, envelope, events = message.transport, message.envelope, self._application.events
        if error is None:
            transport.ack(envelope)
            milliseconds = (time.monotonic() - message.began) * 1000
            events.dispatch(WorkerMessageHandled(envelope, transport.name, milliseconds))
            return
        outcome = self._failures.settle(transport, envelope, error)
        self._settled.append(Failure(transport.name, envelope, error, outcome))
        fate = (outcome.will_retry, outcome.failure_transport, outcome.delay)
        events.dispatch(WorkerMessageFailed(envelope, transport.name, error, *fate))
